-- Grain: one row per period, segment and base that a metric may name as its numerator or denominator.
{{ config(tags=['after_models']) }}
{%- for grain in [
    'customer', 'order', 'tenure', 'adoption', 'month', 'answer', 'feedback', 'invitation', 'contact', 'mention',
    'relation', 'cost', 'score', 'price_rise'
] %}
select
    period_type,
    period_start,
    segment_type,
    segment,
    base,
    amount
from {{ ref('int_' ~ grain ~ '_bases') }}
{{ 'union all' if not loop.last }}
{%- endfor %}
