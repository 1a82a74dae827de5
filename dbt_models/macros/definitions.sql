{#- The last day before the trailing window: a day counts when it lies after this one. -#}
{% macro active_window_starts_after() -%}
    {{ dbt.dateadd('day', -1 * var('active_window_days'), as_of_date()) }}
{%- endmacro %}

{#- What an answer says, in words: NPS bands on 0-10, otherwise the top and bottom boxes of the scale. -#}
{% macro feedback_band(instrument, score, score_0_100) -%}
    case
        when {{ instrument }} = 'nps' and {{ score }} between 9 and 10 then 'promoter'
        when {{ instrument }} = 'nps' and {{ score }} between 7 and 8 then 'passive'
        when {{ instrument }} = 'nps' and {{ score }} between 0 and 6 then 'detractor'
        when {{ instrument }} = 'nps' then null
        when {{ score_0_100 }} >= 75 then 'satisfied'
        when {{ score_0_100 }} <= 25 then 'dissatisfied'
        when {{ score_0_100 }} is not null then 'neutral'
    end
{%- endmacro %}
