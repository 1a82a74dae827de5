-- Grain: one row per product, currency and day on which its price rose and stayed up: at least
-- definitions.price_rise_share above the highest price of the window before, in which it had moved by less, and never
-- below that in the window after.
{%- set days = var('price_rise_window_days') %}
{%- set rise = 1 + var('price_rise_share') %}
with numbered as (
    select
        *,
        {{ dbt.datediff("cast('2000-01-01' as date)", 'price_date', 'day') }} as day_number
    from {{ ref('int_product_prices') }}
),

surrounded as (
    select
        product_key,
        currency_code,
        price_date,
        unit_price,
        min(unit_price) over earlier as lowest_before,
        max(unit_price) over earlier as highest_before,
        count(*) over earlier as count_days_before,
        min(unit_price) over later as lowest_after,
        count(*) over later as count_days_after
    from numbered
    window
        earlier as (
            partition by product_key, currency_code order by day_number asc
            range between {{ days }} preceding and 1 preceding
        ),
        later as (
            partition by product_key, currency_code order by day_number asc
            range between current row and {{ days - 1 }} following
        )
)

select
    product_key,
    currency_code,
    price_date as rise_date,
    highest_before as price_before,
    lowest_after as price_after
from surrounded
where
    count_days_before >= {{ price_days_needed() }}
    and count_days_after >= {{ price_days_needed() }}
    and highest_before < {{ rise }} * lowest_before
    and lowest_after >= {{ rise }} * highest_before
