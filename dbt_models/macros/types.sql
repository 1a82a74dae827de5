{#- Money: whole in 64 bits, exact for currencies of 0 to 4 decimals and for unit prices. -#}
{% macro money() -%}decimal(18, 4){%- endmacro %}

{#- Units of one currency for one of another; the amounts that it makes are rounded to money. -#}
{% macro rate() -%}decimal(18, 8){%- endmacro %}

{% macro as_money(expression) -%}cast({{ expression }} as {{ money() }}){%- endmacro %}

{#- A share, a mean: null without a base, never a division by zero. -#}
{% macro ratio(numerator, denominator) -%}
    (cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0))
{%- endmacro %}

{#- What one amount fits in: eleven digits before the point, so that a thousand amounts add up within money. -#}
{% macro amount() -%}decimal(15, 4){%- endmacro %}

{#- One amount, as a source writes it or a product gives it; null where it is too large to be one. -#}
{% macro as_amount(expression) -%}cast(try_cast({{ expression }} as {{ amount() }}) as {{ money() }}){%- endmacro %}

{#- A product as one amount. Of two decimals of 18 digits DuckDB makes one of 18, which a rate of eight decimals fills
    at a million; a factor of 19 makes room for all. -#}
{% macro product_amount(left, right) -%}
    {{ as_amount('try_cast(' ~ left ~ ' as decimal(19, 4)) * ' ~ right) }}
{%- endmacro %}

{#- An amount of the order's own currency at the order's rate; null without a rate, or where it is no amount. -#}
{% macro in_reporting_currency(amount, exchange_rate='exchange_rate') -%}
    {{ product_amount(amount, exchange_rate) }}
{%- endmacro %}

{#- The rate from a currency to the reporting one; `rates` is its row of int_exchange_rates_filled. -#}
{% macro exchange_rate_of(currency_code, rates) -%}
    case
        when {{ currency_code }} = '{{ var("currency") }}' then cast(1 as {{ rate() }})
        else {{ rates }}.exchange_rate
    end
{%- endmacro %}
