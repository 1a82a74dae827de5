-- Grain: one row per customer and kind of product that the customer bought on two or more days, of lines of quality
-- whose place among the others is declared: whether a later day went above the first.
with bought as (
    select
        lines.customer_key,
        products.product_kind,
        lines.order_date,
        max(products.quality_rank) as quality_rank
    from {{ ref('fct_order_lines') }} as lines
    inner join {{ ref('dim_products') }} as products on lines.product_key = products.product_key
    where
        lines.is_valid and lines.line_kind = 'product' and lines.quantity > 0 and lines.customer_key is not null
        and products.product_kind is not null and products.quality_rank is not null
    group by lines.customer_key, products.product_kind, lines.order_date
)

select
    customer_key,
    product_kind,
    count(*) as count_days,
    min_by(quality_rank, order_date) as first_quality_rank,
    max(quality_rank) as highest_quality_rank,
    max(quality_rank) > min_by(quality_rank, order_date) as has_moved_up
from bought
group by customer_key, product_kind
having count(*) >= 2
