-- Grain: one row per period, segment and base: what orders brought, as counts and exact sums.
with periods as (
    select * from {{ ref('int_metric_periods') }}
),

bounds as (
    select
        max(period_start) filter (where period_type = 'trailing_window') as window_start,
        cast(null as date) as previous_window_start,
        max(period_start) filter (where period_type = 'lifetime') as lifetime_start
    from periods
),

attributed as (
    select
        types.period_type,
        {{ period_start_of('types.period_type', 'orders.order_date', 'bounds') }} as period_start,
        orders.customer_key,
        orders.net_amount,
        {{ order_segment_types() | join(',\n        ') }}
    from {{ ref('int_orders_segmented') }} as orders
    cross join (select distinct period_type from periods) as types
    cross join bounds
),

in_periods as (
    select attributed.*
    from attributed
    inner join periods
        on attributed.period_type = periods.period_type and attributed.period_start = periods.period_start
),

sums as (
    {{ bases_by_segment('in_periods', order_segment_types(), order_bases()) }}
)

{{ bases_in_rows('sums', order_bases()) }}
