-- Grain: one row per whole months since the first order and base: margin of the customers who bought in such a month,
-- over the lifetime of the shop.
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
)

{{ bases_in_rows('sums', tenure_bases()) }}
