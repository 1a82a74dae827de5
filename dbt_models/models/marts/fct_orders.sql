-- Grain: one row per accepted order, valid or excluded.
select
    orders.order_key,
    orders.source_name,
    orders.order_id,
    orders.customer_key,
    orders.ordered_at,
    orders.order_date,
    orders.order_month,
    {{ business_date('orders.promised_at') }} as promised_date,
    orders.delivered_at,
    {{ dbt.datediff(business_date('orders.promised_at'), business_date('orders.delivered_at'), 'day') }} as days_late,
    orders.order_status,
    orders.payment_status,
    orders.channel,
    orders.device,
    orders.coupon_code,
    orders.country_code,
    orders.count_lines,
    cast(orders.count_units as bigint) as count_units,
    orders.count_refunds,
    '{{ var("currency") }}' as currency_code,
    orders.original_currency_code,
    orders.original_items_amount,
    orders.original_gross_amount,
    orders.original_refunded_amount,
    orders.exchange_rate,
    orders.exchange_rate_date,
    coalesce(orders.exchange_rate_date < orders.order_date, false) as is_exchange_rate_carried,
    orders.items_amount,
    orders.discount_amount,
    orders.shipping_amount,
    orders.tax_amount,
    orders.fee_amount,
    orders.gross_amount,
    orders.refunded_amount,
    orders.net_amount,
    orders.exclusion_reason,
    orders.exclusion_reason is null as is_valid,
    orders.exclusion_reason is null or coalesce(reasons.counts_as_revenue, false) as is_revenue,
    occasions.occasion_number
from {{ ref('int_orders_valued') }} as orders
left join {{ ref('exclusion_reasons') }} as reasons on orders.exclusion_reason = reasons.exclusion_reason
left join {{ ref('int_customer_occasions') }} as occasions
    on
        orders.customer_key = occasions.customer_key
        and orders.order_date = occasions.order_date
        and orders.exclusion_reason is null
