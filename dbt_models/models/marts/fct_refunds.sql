-- Grain: one row per refund; on its own day (cash view), while fct_orders nets it on the order's day.
select
    refunds.refund_key,
    refunds.source_name,
    refunds.refund_id,
    orders.order_key,
    coalesce(orders.customer_key, customers.customer_key) as customer_key,
    refunds.refunded_at,
    refunds.refund_date,
    refunds.currency_code as original_currency_code,
    refunds.refund_amount as original_refund_amount,
    case
        when orders.order_key is not null then {{ as_money('refunds.refund_amount * orders.exchange_rate') }}
        when refunds.currency_code = '{{ var("currency") }}' then refunds.refund_amount
    end as refund_amount,
    refunds.refund_reason,
    orders.order_key is not null as is_linked
from {{ ref('int_refunds_united') }} as refunds
left join {{ ref('int_orders_valued') }} as orders on refunds.order_key = orders.order_key
left join {{ ref('int_customers_united') }} as customers
    on refunds.source_name = customers.source_name and refunds.customer_id = customers.customer_id
