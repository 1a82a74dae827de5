-- Grain: one row per period, segment and base: what orders brought, as counts and exact sums. Days are told for the
-- whole shop only.
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

period_types as (
    select distinct period_type from periods
    where period_type <> 'day'
),

attributed as (
    select
        period_types.period_type,
        {{ period_start_of('period_types.period_type', 'orders.order_date', 'bounds') }} as period_start,
        orders.customer_key,
        orders.net_amount,
        {{ order_segment_types() | join(',\n        ') }}
    from {{ ref('int_orders_segmented') }} as orders
    cross join period_types
    cross join bounds
),

in_periods as (
    select attributed.*
    from attributed
    inner join periods
        on attributed.period_type = periods.period_type and attributed.period_start = periods.period_start
),

on_days as (
    select
        periods.period_type,
        periods.period_start,
        orders.customer_key,
        orders.net_amount
    from {{ ref('int_orders_segmented') }} as orders
    inner join periods
        on orders.order_date = periods.period_start and periods.period_type = 'day'
),

day_sums as (
    {{ bases_by_segment('on_days', [], order_bases()) }}  -- noqa: PRS
),

longer_sums as (
    {{ bases_by_segment('in_periods', order_segment_types(), order_bases()) }}  -- noqa: PRS
),

sums as (
    select * from day_sums
    union all
    select * from longer_sums
)

{{ bases_in_rows('sums', order_bases()) }}
