{#- The demo shop's questionnaire: code -> instrument, question in the project's words, scale, whether high is bad.
    Questions of one instrument are taken together, those of two never. -#}
{% macro demo_survey_questions() -%}
    {%- set questions = {
        'nps': ['nps', 'recommend', 0, 10, false],
        'csat': ['csat', 'overall_satisfaction', 1, 5, false],
        'csat_product': ['csat_product', 'product_satisfaction', 1, 5, false],
        'csat_service': ['csat_service', 'service_satisfaction', 1, 5, false],
        'cli_recommend': ['cli', 'recommend', 1, 6, false],
        'cli_buy_again': ['cli', 'buy_again', 1, 6, false],
        'cli_try_others': ['cli', 'try_others', 1, 6, false],
        'trust_keeps_promises': ['trust', 'keeps_promises', 1, 7, false],
        'trust_is_open': ['trust', 'is_open', 1, 7, false],
        'bond_feels_close': ['bond', 'feels_close', 1, 7, false],
        'bond_would_not_miss': ['bond', 'would_not_miss', 1, 7, true],
        'value_fit': ['value_fit', 'value_fit', 1, 7, false],
        'dependence': ['dependence', 'dependence', 1, 7, false],
        'belonging': ['belonging', 'belonging', 1, 7, false],
        'expectation_met': ['expectation', 'expectation_met', 1, 5, false],
        'brand_awareness': ['awareness', 'brand_awareness', 1, 5, false],
        'wallet_share': ['wallet_share', 'wallet_share', 0, 10, false]
    } -%}
    {%- for code, asked in questions.items() %}
    select
        '{{ code }}' as code,
        '{{ asked[0] }}' as instrument,
        '{{ asked[1] }}' as question,
        {{ asked[2] }} as scale_min,
        {{ asked[3] }} as scale_max,
        {{ asked[4] | lower }} as is_reversed
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
