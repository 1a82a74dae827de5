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
),

winning as (
    select
        cast(date_trunc('month', cost_date) as date) as cohort_month,
        sum(cost_amount) filter (where cost_kind = 'acquisition') as acquisition_cost
    from {{ ref('fct_costs') }}
    group by cast(date_trunc('month', cost_date) as date)
),

accumulated as (
    select
        cells.*,
        winning.acquisition_cost,
        sum(cells.total_net) over up_to_the_month as cumulative_net,
        sum(cells.total_margin) over up_to_the_month as cumulative_margin
    from cells
    left join winning on cells.cohort_month = winning.cohort_month
    window up_to_the_month as (partition by cells.cohort_month order by cells.months_since_first_order asc)
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
    case when is_mature then {{ as_money('cumulative_net') }} end as cumulative_net,
    case when is_mature then {{ ratio('cumulative_net', 'count_customers') }} end as cumulative_net_per_customer,
    case when is_mature then {{ as_money('cumulative_margin') }} end as cumulative_margin,
    {{ as_money('acquisition_cost') }} as acquisition_cost,
    case when is_mature then {{ ratio('acquisition_cost', 'count_customers') }} end as acquisition_cost_per_customer,
    cast(
        min(months_since_first_order) filter (where is_mature and cumulative_margin >= acquisition_cost) over (
            partition by cohort_month
        ) as integer
    ) as payback_months
from accumulated
