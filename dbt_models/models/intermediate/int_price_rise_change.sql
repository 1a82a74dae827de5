-- Grain: one row per shop with customers before its price rises: by how much their returning changed over the rises,
-- less by how much that of buyers of other things did. Customers are the units of the error.
{%- set cells = {
    'after_risen': {'sign': 1, 'rows': "rise_window = 'after' and has_bought_what_rises"},
    'before_risen': {'sign': -1, 'rows': "rise_window = 'before' and has_bought_what_rises"},
    'after_other': {'sign': -1, 'rows': "rise_window = 'after' and not has_bought_what_rises"},
    'before_other': {'sign': 1, 'rows': "rise_window = 'before' and not has_bought_what_rises"},
} %}

with by_customer as (
    select
        {%- for name, cell in cells.items() %}
        count(*) filter (where {{ cell.rows }}) as bought_{{ name }},
        count(*) filter (where {{ cell.rows }} and has_returned) as returned_{{ name }},
        {%- endfor %}
        customer_key
    from {{ ref('int_price_rise_buyers') }}
    group by customer_key
),

totals as (
    select
        {%- for name in cells %}
        sum(bought_{{ name }}) as bought_{{ name }},
        {{ ratio('sum(returned_' ~ name ~ ')', 'sum(bought_' ~ name ~ ')') }} as rate_{{ name }},
        {%- endfor %}
        count(*) filter (where bought_after_risen > 0) as count_customers_risen,
        count(*) filter (where bought_after_other > 0) as count_customers_other,
        count(*) as count_customers
    from by_customer
),

-- what each customer adds to the estimate, in customers; decimals, which add up the same in any order
customer_parts as (
    select
        cast(totals.count_customers * (
            0
            {%- for name, cell in cells.items() %}
            + {{ cell.sign }} * (
                by_customer.returned_{{ name }} - totals.rate_{{ name }} * by_customer.bought_{{ name }}
            ) / totals.bought_{{ name }}
            {%- endfor %}
        ) as decimal(18, 6)) as part
    from by_customer
    cross join totals
),

errors as (
    select
        {{ ratio('sqrt(cast(sum(part * part) as double) * count(*) / nullif(count(*) - 1, 0))', 'count(*)') }}
            as standard_error
    from customer_parts
)

select
    totals.count_customers_risen,
    totals.count_customers_other,
    totals.rate_before_risen,
    totals.rate_after_risen,
    totals.rate_before_other,
    totals.rate_after_other,
    (totals.rate_after_risen - totals.rate_before_risen) - (totals.rate_after_other - totals.rate_before_other)
        as change_difference,
    errors.standard_error
from totals
cross join errors
where totals.count_customers > 0
