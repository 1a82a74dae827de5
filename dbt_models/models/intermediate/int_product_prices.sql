-- Grain: one row per product, currency and day on which it was sold or got a new list price: the list price that held,
-- or where there is none the unit price that most lines of the day were sold at.
with charged as (
    select
        lines.product_key,
        orders.original_currency_code as currency_code,
        lines.order_date,
        lines.original_unit_price,
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
        order_date,
        original_unit_price,
        row_number() over (
            partition by product_key, currency_code, order_date order by count_lines desc, original_unit_price asc
        ) as place
    from charged
),

sold as (
    select
        product_key,
        currency_code,
        order_date as price_date,
        original_unit_price as unit_price
    from ranked
    where place = 1
),

sold_in as (
    select distinct
        product_key,
        currency_code
    from sold
),

days as (
    select
        product_key,
        currency_code,
        price_date
    from sold
    union distinct
    select
        listed.product_key,
        sold_in.currency_code,
        listed.valid_from_date as price_date
    from {{ ref('int_list_prices_united') }} as listed
    inner join sold_in on listed.product_key = sold_in.product_key
)

select
    days.product_key,
    days.currency_code,
    days.price_date,
    coalesce(listed.list_price, sold.unit_price) as unit_price
from days
left join {{ ref('int_list_prices_united') }} as listed
    on
        days.product_key = listed.product_key
        and days.price_date >= listed.valid_from_date
        and (listed.next_valid_from_date is null or days.price_date < listed.next_valid_from_date)
left join sold
    on
        days.product_key = sold.product_key
        and days.currency_code = sold.currency_code
        and days.price_date = sold.price_date
