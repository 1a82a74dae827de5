-- Grain: one row per metric of orders and step: from every accepted order to those that the metric may count. An order
-- is left out at the first reason that it meets.
with judged as (
    select
        'all_orders' as basis,
        case
            when not orders.is_revenue then orders.exclusion_reason
            when orders.net_amount <= 0 then 'nothing_left_after_refunds'
        end as step,
        reasons.priority,
        orders.gross_amount
    from {{ ref('fct_orders') }} as orders
    left join {{ ref('exclusion_reasons') }} as reasons on orders.exclusion_reason = reasons.exclusion_reason
    union all
    select
        'orders_of_customers' as basis,
        orders.exclusion_reason as step,
        reasons.priority,
        orders.gross_amount
    from {{ ref('fct_orders') }} as orders
    left join {{ ref('exclusion_reasons') }} as reasons on orders.exclusion_reason = reasons.exclusion_reason
),

summed as (
    select
        basis,
        coalesce(step, 'counted') as step,
        step is null as is_counted,
        coalesce(min(priority) filter (where step is not null), 1000) as priority,
        count(*) as count_orders,
        sum(gross_amount) as total_gross
    from judged
    group by basis, coalesce(step, 'counted'), step is null
),

steps as (
    select
        basis,
        step,
        is_counted,
        row_number() over of_basis as step_number,
        count_orders,
        coalesce(total_gross, 0) as total_gross,
        sum(count_orders) over (partition by basis)
        - sum(case when is_counted then 0 else count_orders end) over of_basis as count_orders_left,
        sum(coalesce(total_gross, 0)) over (partition by basis)
        - sum(case when is_counted then 0 else coalesce(total_gross, 0) end) over of_basis as total_gross_left
    from summed
    window of_basis as (
        partition by basis order by is_counted asc, priority asc, step asc
        rows between unbounded preceding and current row
    )
),

metrics as (
    select
        metric,
        case when metric = 'average_order_value' then 'all_orders' else 'orders_of_customers' end as basis
    from {{ ref('metric_definitions') }}
    where feeds in ('orders', 'product_kinds', 'discounts', 'launch_dates', 'quality_lines', 'product_prices')
)

select
    metrics.metric,
    steps.step_number,
    steps.step,
    steps.is_counted,
    steps.count_orders,
    {{ as_money('steps.total_gross') }} as total_gross,
    cast(steps.count_orders_left as bigint) as count_orders_left,
    {{ as_money('steps.total_gross_left') }} as total_gross_left
from metrics
inner join steps on metrics.basis = steps.basis
