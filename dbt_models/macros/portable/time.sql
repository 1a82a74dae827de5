{#- The instant, exclusive, at which the business day of the run ends; everything later is unseen. -#}
{% macro as_of_ends_at() -%}cast('{{ var("as_of_ends_at") }}' as timestamp){%- endmacro %}

{% macro as_of_date() -%}cast('{{ var("as_of") }}' as date){%- endmacro %}

{#- Local wall time of a zone (unless said that of the feed which the model reads) to UTC, both without zone. -#}
{% macro local_to_utc(expression, time_zone=none) -%}
    {{ return(adapter.dispatch('local_to_utc', 'loyalty')(expression, time_zone or feed_time_zone())) }}
{%- endmacro %}

{#- The zone of the wall times of the raw table that a model accounts for; the business zone where it has no other. -#}
{% macro feed_time_zone() -%}
    {%- set zones = var('feed_time_zones', {}) -%}
    {%- set raw_tables = model.sources | map('last') | list if zones and model and model.sources else [] -%}
    {%- set raw_table = model.config.meta.get('judges', raw_tables | first) if raw_tables -%}
    {{ return(zones.get(raw_table, var('time_zone'))) }}
{%- endmacro %}

{% macro default__local_to_utc(expression, time_zone) -%}
    timezone('UTC', timezone('{{ time_zone }}', {{ expression }}))
{%- endmacro %}

{#- A UTC instant as the wall time of the business time zone, both without zone. -#}
{% macro utc_to_local(expression) -%}
    {{ return(adapter.dispatch('utc_to_local', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__utc_to_local(expression) -%}
    timezone('{{ var("time_zone") }}', timezone('UTC', {{ expression }}))
{%- endmacro %}

{#- The day of the week of a date: 1 is Monday, 7 is Sunday. -#}
{% macro iso_weekday(date) -%}
    {{ return(adapter.dispatch('iso_weekday', 'loyalty')(date)) }}
{%- endmacro %}

{% macro default__iso_weekday(date) -%}extract(isodow from {{ date }}){%- endmacro %}

{#- The day of the business time zone that a UTC instant falls on. -#}
{% macro business_date(expression) -%}
    {{ return(adapter.dispatch('business_date', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__business_date(expression) -%}
    cast(timezone('{{ var("time_zone") }}', timezone('UTC', {{ expression }})) as date)
{%- endmacro %}

{#- Whole months between two firsts of month. -#}
{% macro months_between(earlier, later) -%}
    ((extract(year from {{ later }}) - extract(year from {{ earlier }})) * 12
    + extract(month from {{ later }}) - extract(month from {{ earlier }}))
{%- endmacro %}

{#- The first anniversary of a day that is later than another day. Years are counted from the day itself, so that of
    29 February is the 28th in a common year and the 29th again in the next leap year. -#}
{% macro next_anniversary(date, after) -%}
    {%- set years = "(extract(year from " ~ after ~ ") - extract(year from " ~ date ~ "))" -%}
    {%- set of_this_year = "cast(" ~ dbt.dateadd('year', years, date) ~ " as date)" -%}
    case
        when {{ of_this_year }} > {{ after }} then {{ of_this_year }}
        else cast({{ dbt.dateadd('year', years ~ " + 1", date) }} as date)
    end
{%- endmacro %}

{#- One row per first of month from the month of `first` to the month of `last`, as column month_start. -#}
{% macro months_from_to(first, last) -%}
    {{ return(adapter.dispatch('months_from_to', 'loyalty')(first, last)) }}
{%- endmacro %}

{% macro default__months_from_to(first, last) -%}
    select
        cast(
            unnest(range(date_trunc('month', {{ first }}), {{ last }} + interval 1 day, interval 1 month)) as date
        ) as month_start
{%- endmacro %}

{#- One row per day from `first` to `last`, as column day_date. -#}
{% macro days_from_to(first, last) -%}
    {{ return(adapter.dispatch('days_from_to', 'loyalty')(first, last)) }}
{%- endmacro %}

{% macro default__days_from_to(first, last) -%}
    select cast(unnest(range({{ first }}, {{ last }} + interval 1 day, interval 1 day)) as date) as day_date
{%- endmacro %}

{#- A quarter as people write it: 2025-Q1. -#}
{% macro quarter_name(date) -%}
    (
        cast(extract(year from {{ date }}) as {{ dbt.type_string() }}) || '-Q'
        || cast(extract(quarter from {{ date }}) as {{ dbt.type_string() }})
    )
{%- endmacro %}

{#- The median of what a window's rows hold up to and including the present one. -#}
{% macro running_median(expression, partition, order) -%}
    {{ return(adapter.dispatch('running_median', 'loyalty')(expression, partition, order)) }}
{%- endmacro %}

{% macro default__running_median(expression, partition, order) -%}
    median({{ expression }}) over (
        partition by {{ partition }} order by {{ order }} rows between unbounded preceding and current row
    )
{%- endmacro %}
