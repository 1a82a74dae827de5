{#- When the service is open, as the settings say, on the wall clock of the business time zone. -#}
{% macro service_seconds_a_day() -%}
    {{ ((var('service_closing_hour') - var('service_opening_hour')) * 3600) | round | int }}
{%- endmacro %}

{% macro is_service_day(date) -%}
    {{ iso_weekday(date) }} in ({{ var('service_weekdays') | join(', ') }})
    {%- if var('service_holidays') %}
    and {{ date }} not in (
        {%- for holiday in var('service_holidays') -%}
        cast('{{ holiday }}' as date){{ ', ' if not loop.last }}
        {%- endfor -%}
    )
    {%- endif %}
{%- endmacro %}

{#- Seconds that the service had been open by a wall time, since the first row of int_service_days.
    day         the row of the wall time's day
    wall_time   a timestamp of the business time zone -#}
{% macro seconds_open_at(day, wall_time) -%}
    ({{ day }}.open_seconds_before + least({{ day }}.open_seconds, greatest(
        0,
        {{ dbt.datediff("date_trunc('day', " ~ wall_time ~ ")", wall_time, 'second') }}
        - {{ (var('service_opening_hour') * 3600) | round | int }}
    )))
{%- endmacro %}

{#- Whole seconds as hours. -#}
{% macro as_hours(seconds) -%}(cast({{ seconds }} as double) / 3600){%- endmacro %}

{#- Whether something came within the service level, too late, or may still come in time.
    seconds    how long it took, on the clock of the service level; null while it has not come
    waited     how long it has been waited for by the as-of, on the same clock
    hours      what the settings allow -#}
{% macro service_level_state(seconds, waited, hours) -%}
    case
        when {{ seconds }} <= {{ hours }} * 3600 then 'in_time'
        when {{ seconds }} is not null or {{ waited }} > {{ hours }} * 3600 then 'late'
        else 'open'
    end
{%- endmacro %}
