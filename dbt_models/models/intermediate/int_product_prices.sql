-- Grain: one row per product, currency and day on which it was sold: the unit price that most of its lines were
-- sold at.
with charged as (
    select
        lines.product_key,
        orders.original_currency_code as currency_code,
        lines.order_date as price_date,
        lines.original_unit_price as unit_price,
        count(*) as count_lines
    from {{ ref('fct_order_lines') }} as lines
    inner join {{ ref('int_orders_valued') }} as orders on lines.order_key = orders.order_key
    where
        lines.is_valid and lines.line_kind = 'product' and lines.quantity > 0 and lines.original_unit_price > 0
        and lines.product_key is not null
    group by lines.product_key, orders.original_currency_code, lines.order_date, lines.original_unit_price
),

ranked as (
    select
        product_key,
        currency_code,
        price_date,
        unit_price,
        row_number() over (
            partition by product_key, currency_code, price_date order by count_lines desc, unit_price asc
        ) as place
    from charged
)

select
    product_key,
    currency_code,
    price_date,
    unit_price
from ranked
where place = 1
