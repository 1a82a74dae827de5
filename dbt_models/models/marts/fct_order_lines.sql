-- Grain: one row per line of an accepted order.
select
    lines.order_key || ':' || cast(lines.line_number as {{ dbt.type_string() }}) as order_line_key,
    lines.order_key,
    lines.source_name,
    lines.line_number,
    lines.product_key,
    orders.customer_key,
    orders.order_date,
    lines.line_kind,
    products.product_kind,
    lines.quantity,
    lines.unit_price as original_unit_price,
    lines.line_amount as original_line_amount,
    {{ in_reporting_currency('lines.line_amount', 'orders.exchange_rate') }} as line_amount,
    orders.exclusion_reason is null as is_valid
from {{ ref('int_order_lines_united') }} as lines
inner join {{ ref('int_orders_valued') }} as orders on lines.order_key = orders.order_key
left join {{ ref('dim_products') }} as products on lines.product_key = products.product_key
