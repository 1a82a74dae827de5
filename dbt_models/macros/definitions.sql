{#- The last day before the trailing window: a day counts when it lies after this one. -#}
{% macro active_window_starts_after() -%}
    {{ dbt.dateadd('day', -1 * var('active_window_days'), as_of_date()) }}
{%- endmacro %}

{#- The settings that a metric's definition may name in braces. -#}
{% macro definition_settings() -%}
    {{ return([
        'repeat_window_days', 'late_grace_days', 'active_window_days', 'loyal_minimum_occasions', 'loyal_gap_multiple',
        'adoption_window_days', 'margin_share', 'survey_answer_days', 'survey_throttle_days', 'first_reply_hours',
        'resolution_hours', 'reopen_window_days', 'bot_minimum_posts', 'bot_text_share', 'feedback_reply_days',
        'loyalty_index_average', 'loyalty_index_above_average', 'loyalty_index_minimum_items',
        'subscription_grace_days', 'subscription_total_base', 'response_window_days', 'member_active_days',
        'effect_horizon_days', 'lapsed_gap_multiple', 'cost_per_point', 'score_scale', 'score_full_occasions',
        'score_full_net', 'score_cap_with_complaint', 'price_rise_share', 'price_rise_window_days'
    ]) }}
{%- endmacro %}

{#- A definition with some of the shop's settings put in. -#}
{% macro definition_text(column, names) -%}
    {%- set written = namespace(sql=column) -%}
    {%- for name in names -%}
        {%- set told = var(name) | int if var(name) == var(name) | int else var(name) -%}
        {%- set written.sql = "replace(" ~ written.sql ~ ", '{" ~ name ~ "}', '" ~ told ~ "')" -%}
    {%- endfor -%}
    {{ written.sql }}
{%- endmacro %}

{#- The period of a type that a day falls into, by its first day; null where neither trailing window holds the day. -#}
{% macro period_start_of(period_type, date, bounds) -%}
    case {{ period_type }}
        when 'day' then {{ date }}
        when 'month' then cast(date_trunc('month', {{ date }}) as date)
        when 'quarter' then cast(date_trunc('quarter', {{ date }}) as date)
        when 'trailing_window' then case
            when {{ date }} >= {{ bounds }}.window_start then {{ bounds }}.window_start
            when {{ date }} >= {{ bounds }}.previous_window_start then {{ bounds }}.previous_window_start
        end
        when 'lifetime' then {{ bounds }}.lifetime_start
    end
{%- endmacro %}

{#- Whether an instrument asks the question of the net promoter score; its surveys are scored apart. -#}
{% macro is_nps(instrument) -%}{{ instrument }} in ('nps', 'nps_transactional', 'nps_unassigned'){%- endmacro %}

{#- What an answer says, in words: NPS bands on 0-10, otherwise the top and bottom boxes of the scale. -#}
{% macro feedback_band(instrument, score, score_0_100) -%}
    case
        when {{ is_nps(instrument) }} and {{ score }} between 9 and 10 then 'promoter'
        when {{ is_nps(instrument) }} and {{ score }} between 7 and 8 then 'passive'
        when {{ is_nps(instrument) }} and {{ score }} between 0 and 6 then 'detractor'
        when {{ is_nps(instrument) }} then null
        when {{ score_0_100 }} >= 75 then 'satisfied'
        when {{ score_0_100 }} <= 25 then 'dissatisfied'
        when {{ score_0_100 }} is not null then 'neutral'
    end
{%- endmacro %}
