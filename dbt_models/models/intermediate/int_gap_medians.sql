-- Grain: one row per period and segment: the median gap between purchase occasions by Kaplan and Meier (1958), the gap
-- that is still open counted as at least that long; its interval inverts the log(-log) bounds of Greenwood's variance
-- (Brookmeyer and Crowley 1982).
with gaps as (
    select
        customer_key,
        order_date,
        coalesce(
            {{ dbt.datediff('order_date', 'next_order_date', 'day') }},
            {{ dbt.datediff('order_date', as_of_date(), 'day') }}
        ) as gap_days,
        next_order_date is not null as is_closed
    from {{ ref('int_customer_occasions') }}
),

segmented as (
    select
        periods.period_type,
        periods.period_start,
        gaps.customer_key,
        gaps.gap_days,
        gaps.is_closed,
        segments.{{ customer_segment_types() | join(',\n        segments.') }}
    from gaps
    inner join {{ ref('int_customer_segments') }} as segments on gaps.customer_key = segments.customer_key
    inner join {{ ref('int_metric_periods') }} as periods
        on periods.period_type in ('lifetime', 'trailing_window') and gaps.order_date >= periods.period_start
),

counted as (
    select
        period_type,
        period_start,
        gap_days,
        {{ grouped_segment_type(customer_segment_types()) }} as segment_type,
        {{ grouped_segment(customer_segment_types()) }} as segment,
        count(*) as count_gaps,
        count(*) filter (where is_closed) as count_closed
    from segmented
    group by {{ grouped_by_segments('period_type, period_start, gap_days', customer_segment_types()) }}  -- noqa: PRS
),

at_risk as (
    select
        *,
        sum(count_gaps) over longest_first as count_at_risk,
        sum(count_gaps) over whole as count_all,
        sum(count_closed) over whole as count_all_closed
    from counted
    window
        longest_first as (
            partition by period_type, period_start, segment_type, segment
            order by gap_days desc
        ),
        whole as (partition by period_type, period_start, segment_type, segment)
),

surviving as (
    select
        *,
        -- a step to zero has no logarithm: it is carried as its own flag
        sum(case when count_closed < count_at_risk then ln(1 - count_closed / cast(count_at_risk as double)) end)
            over shortest_first as log_share,
        max(case when count_closed = count_at_risk then 1 else 0 end) over shortest_first as is_exhausted,
        sum(case
            when count_closed < count_at_risk
                then count_closed / (cast(count_at_risk as double) * (count_at_risk - count_closed))
        end) over shortest_first as greenwood
    from at_risk
    window
        shortest_first as (
            partition by period_type, period_start, segment_type, segment
            order by gap_days asc
        )
),

bounded as (
    select
        *,
        case when is_exhausted = 1 then 0 else exp(log_share) end as share_open,
        case
            when is_exhausted = 1 then 0
            when log_share < 0
                then exp(log_share * exp(1.959963984540054 * sqrt(greenwood) / abs(log_share)))
            else 1
        end as share_low,
        case
            when is_exhausted = 1 then 0
            when log_share < 0
                then exp(log_share * exp(-1.959963984540054 * sqrt(greenwood) / abs(log_share)))
            else 1
        end as share_high
    from surviving
)

select
    period_type,
    period_start,
    segment_type,
    segment,
    cast(max(count_all_closed) as bigint) as count_closed,
    cast(max(count_all) as bigint) as count_gaps,
    cast(min(gap_days) filter (where share_open <= 0.5) as double) as median_days,
    cast(min(gap_days) filter (where share_low <= 0.5) as double) as median_low,
    cast(min(gap_days) filter (where share_high <= 0.5) as double) as median_high
from bounded
group by period_type, period_start, segment_type, segment
