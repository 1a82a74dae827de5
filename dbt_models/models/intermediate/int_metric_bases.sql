-- Grain: one row per period, segment and base that a metric may name as its numerator or denominator.
{%- for name in ['int_customer_bases', 'int_order_bases', 'int_tenure_bases', 'int_adoption_bases', 'int_month_bases'] %}
select
    period_type,
    period_start,
    segment_type,
    segment,
    base,
    amount
from {{ ref(name) }}
{{ 'union all' if not loop.last }}
{%- endfor %}
