-- Grain: one row per excluded order, with its one reason.
select
    orders.order_key,
    orders.source_name,
    orders.order_id,
    orders.customer_key,
    orders.order_date,
    orders.exclusion_reason,
    reasons.counts_as_revenue,
    orders.count_lines,
    orders.original_currency_code,
    orders.original_items_amount,
    orders.gross_amount,
    orders.net_amount
from {{ ref('fct_orders') }} as orders
inner join {{ ref('exclusion_reasons') }} as reasons on orders.exclusion_reason = reasons.exclusion_reason
