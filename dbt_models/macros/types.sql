{#- Money: whole in 64 bits, exact for currencies of 0 to 4 decimals and for unit prices. -#}
{% macro money() -%}decimal(18, 4){%- endmacro %}

{% macro as_money(expression) -%}cast({{ expression }} as {{ money() }}){%- endmacro %}

{#- A share, a mean: null without a base, never a division by zero. -#}
{% macro ratio(numerator, denominator) -%}
    (cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0))
{%- endmacro %}

{#- An amount of the order's own currency at the order's rate; null where there is no rate. -#}
{% macro in_reporting_currency(amount) -%}
    {{ as_money(as_money(amount) ~ ' * exchange_rate') }}
{%- endmacro %}
