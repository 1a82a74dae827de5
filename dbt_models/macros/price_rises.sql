{#- How customers are followed across a rise of prices. Two windows of buyers of the product, both at the old price:
    those of the days before the rise, followed beyond it, and those of the days before them, followed up to it. -#}

{#- Days on which a product must have been sold on either side of a rise. -#}
{% macro price_days_needed() -%}{{ return(3) }}{%- endmacro %}

{#- Days of rises that are followed: those on which most lines had been sold of what rises. A shop raises its prices in
    rounds, and each round is compared with everybody who bought something else. -#}
{% macro price_rounds_followed() -%}{{ return(12) }}{%- endmacro %}

{#- Windows of buyers: name -> days from the rise to the first day of buying; each lasts one window, and as long are its
    buyers followed. -#}
{% macro price_rise_windows() -%}
    {{ return({'after': -1 * var('price_rise_window_days'), 'before': -2 * var('price_rise_window_days')}) }}
{%- endmacro %}

{#- Of a customer who bought before some rise: rows of int_price_rise_bases' own CTE. -#}
{% macro price_rise_bases() -%}
    {%- set bases = {} -%}
    {%- for window in price_rise_windows() -%}
        {%- do bases.update({'count_customers_' ~ window ~ '_rise': counted('count_buyers_' ~ window ~ ' > 0')}) -%}
        {%- do bases.update(with_products(
            'count_returned_' ~ window ~ '_rise', 'count_returned_' ~ window,
            'count_buyers_' ~ window ~ '_rise', 'count_buyers_' ~ window
        )) -%}
    {%- endfor -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Why a shop that states prices has nothing to tell of rises. -#}
{% macro no_price_rise() -%}no price rise of which the follow-up is over{%- endmacro %}
