-- Grain: one row per order that counts as revenue, with the segments that it belongs to; unknown where none is told.
with kind_sums as (
    select
        order_key,
        product_kind,
        sum(line_amount) as kind_amount
    from {{ ref('fct_order_lines') }}
    where line_kind = 'product' and product_kind is not null
    group by order_key, product_kind
),

main_kinds as (
    select
        order_key,
        product_kind,
        row_number() over (partition by order_key order by kind_amount desc nulls last, product_kind asc) as kind_number
    from kind_sums
)

select
    orders.order_key,
    orders.customer_key,
    orders.ordered_at,
    orders.order_date,
    orders.is_valid,
    orders.occasion_number,
    orders.net_amount,
    orders.discount_amount <= 0 as is_full_price,
    coalesce(orders.channel, 'unknown') as channel,
    coalesce(orders.device, 'unknown') as device,
    coalesce(orders.country_code, 'unknown') as country,
    coalesce(main_kinds.product_kind, 'unknown') as product_kind
from {{ ref('fct_orders') }} as orders
left join main_kinds on orders.order_key = main_kinds.order_key and main_kinds.kind_number = 1
where orders.is_revenue
