-- Grain: one row per cohort (month of the first valid order) and whole months since.
with cells as (
    select
        cohort_month,
        months_since_first_order,
        month_start,
        bool_and(is_complete_month) as is_mature,
        count(*) as count_customers,
        count(*) filter (where is_active) as count_active_customers,
        cast(sum(count_orders) as bigint) as count_orders,
        sum(total_net) as total_net,
        sum(total_margin) as total_margin
    from {{ ref('fct_customer_months') }}
    group by cohort_month, months_since_first_order, month_start
)

select
    cohort_month,
    months_since_first_order,
    month_start,
    is_mature,
    count_customers,
    case when is_mature then count_active_customers end as count_active_customers,
    case when is_mature then {{ ratio('count_active_customers', 'count_customers') }} end as retention_rate,
    case when is_mature then {{ wilson_low('count_active_customers', 'count_customers') }} end as ci_low,
    case when is_mature then {{ wilson_high('count_active_customers', 'count_customers') }} end as ci_high,
    case when is_mature then count_orders end as count_orders,
    case when is_mature then {{ as_money('total_net') }} end as total_net,
    case when is_mature then {{ as_money('total_margin') }} end as total_margin,
    case when is_mature then {{ as_money('sum(total_net) over up_to_the_month') }} end as cumulative_net,
    case when is_mature then {{ ratio('sum(total_net) over up_to_the_month', 'count_customers') }} end
        as cumulative_net_per_customer
from cells
window up_to_the_month as (partition by cohort_month order by months_since_first_order)
