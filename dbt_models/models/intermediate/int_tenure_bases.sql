-- Grain: one row per whole months since the first order and base: margin of the customers who bought in such a month,
-- over the lifetime of the shop, and what is left of it after costs. The retention costs of a month are shared evenly
-- by everybody who had bought by then, its acquisition costs by those who first bought in it.
with sums as (
    select
        'lifetime' as period_type,
        periods.period_start,
        'tenure_month' as segment_type,
        cast(months.months_since_first_order as {{ dbt.type_string() }}) as segment,
        {{ base_columns(tenure_bases()) }}
    from {{ ref('fct_customer_months') }} as months
    inner join {{ ref('int_metric_periods') }} as periods on periods.period_type = 'lifetime'
    where months.is_complete_month
    group by periods.period_start, months.months_since_first_order
),

cells as (
    select
        month_start,
        months_since_first_order,
        count(*) as count_customers,
        sum(total_margin) as total_margin
    from {{ ref('fct_customer_months') }}
    where is_complete_month
    group by month_start, months_since_first_order
),

costs_of_months as (
    select
        cast(date_trunc('month', cost_date) as date) as month_start,
        coalesce(sum(cost_amount) filter (where cost_kind = 'acquisition'), 0) as acquisition_cost,
        coalesce(sum(cost_amount) filter (where cost_kind = 'retention'), 0) as retention_cost
    from {{ ref('fct_costs') }}
    group by cast(date_trunc('month', cost_date) as date)
),

customers_of_months as (
    select
        month_start,
        sum(count_customers) as count_customers
    from cells
    group by month_start
),

profits as (
    select
        periods.period_start,
        cells.months_since_first_order,
        sum(
            cells.total_margin
            - case when cells.months_since_first_order = 0 then coalesce(spent.acquisition_cost, 0) else 0 end
            - {{ as_money(ratio(
                'coalesce(spent.retention_cost, 0) * cells.count_customers', 'customers_of_months.count_customers'
            )) }}
        ) as total_profit
    from cells
    inner join customers_of_months on cells.month_start = customers_of_months.month_start
    inner join {{ ref('int_metric_periods') }} as periods on periods.period_type = 'lifetime'
    left join costs_of_months as spent on cells.month_start = spent.month_start
    group by periods.period_start, cells.months_since_first_order
)

{{ bases_in_rows('sums', tenure_bases()) }}
union all
select
    'lifetime' as period_type,
    period_start,
    'tenure_month' as segment_type,
    cast(months_since_first_order as {{ dbt.type_string() }}) as segment,
    'total_profit_of_month' as base,
    cast(total_profit as decimal(38, 8)) as amount
from profits
