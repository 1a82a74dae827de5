-- Grain: one row per segment and base: the net of each complete month of the trailing window, summed. A month
-- without a purchase counts as zero.
with months as (
    select
        month_periods.period_start,
        window_period.period_start as window_start
    from {{ ref('int_metric_periods') }} as month_periods
    inner join {{ ref('int_metric_periods') }} as window_period
        on
            window_period.period_type = 'trailing_window'
            and month_periods.period_type = 'month'
            and month_periods.period_start >= window_period.period_start
),

monthly as (
    select
        segment_type,
        segment,
        period_start,
        amount as total_net
    from {{ ref('int_customer_bases') }}
    where period_type = 'month' and base = 'total_net'
),

segments as (
    select
        segment_type,
        segment,
        amount as count_customers
    from {{ ref('int_customer_bases') }}
    where period_type = 'trailing_window' and base = 'count_customers'
),

filled as (
    select
        months.window_start,
        segments.segment_type,
        segments.segment,
        segments.count_customers,
        coalesce(monthly.total_net, 0) as total_net
    from segments
    cross join months
    left join monthly
        on
            segments.segment_type = monthly.segment_type
            and segments.segment = monthly.segment
            and months.period_start = monthly.period_start
),

sums as (
    select
        'trailing_window' as period_type,
        window_start as period_start,
        segment_type,
        segment,
        {{ base_columns(month_bases()) }}
    from filled
    group by window_start, segment_type, segment
)

{{ bases_in_rows('sums', month_bases()) }}
