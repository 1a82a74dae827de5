-- Grain: one row per accepted order of any source, in the order's own currency and in the reporting currency.
with line_sums as (
    select
        order_key,
        count(*) as count_lines,
        coalesce(sum(quantity) filter (where line_kind = 'product'), 0) as count_units,
        coalesce(sum(line_amount) filter (where line_kind not in ('shipping', 'discount', 'fee')), 0) as items_amount,
        coalesce(sum(line_amount) filter (where line_kind = 'discount'), 0) as discount_lines_amount,
        coalesce(sum(line_amount) filter (where line_kind = 'fee'), 0) as fee_amount,
        coalesce(sum(line_amount) filter (where line_kind = 'shipping'), 0)
        + coalesce(sum(shipping_amount), 0) as shipping_lines_amount,
        coalesce(sum(abs(line_amount)), 0) + coalesce(sum(abs(shipping_amount)), 0) as absolute_amount
    from {{ ref('int_order_lines_united') }}
    group by order_key
),

refund_sums as (
    select
        order_key,
        count(*) as count_refunds,
        sum(refund_amount) as refunded_amount,
        sum(abs(refund_amount)) as absolute_amount
    from {{ ref('int_refunds_united') }}
    where order_key is not null
    group by order_key
),

own_currency as (
    select
        orders.order_key,
        orders.source_name,
        orders.order_id,
        orders.ordered_at,
        orders.promised_at,
        case when orders.delivered_at < {{ as_of_ends_at() }} then orders.delivered_at end as delivered_at,
        orders.order_date,
        orders.order_status,
        orders.payment_status,
        orders.channel,
        orders.device,
        upper({{ short_word('orders.coupon_code') }}) as coupon_code,
        orders.currency_code,
        coalesce(customers.customer_key, guests.customer_key) as customer_key,
        customers.customer_type,
        coalesce(orders.country_code, customers.country_code) as country_code,
        coalesce(orders.is_test, false) as is_test,
        coalesce(orders.is_fraud, false) as is_fraud,
        coalesce(orders.is_gift_card_only, false) as is_gift_card_only,
        coalesce(line_sums.count_lines, 0) as count_lines,
        coalesce(line_sums.count_units, 0) as count_units,
        coalesce(line_sums.items_amount, 0) as items_amount,
        coalesce(orders.discount_amount, 0) - coalesce(line_sums.discount_lines_amount, 0) as discount_amount,
        coalesce(orders.shipping_amount, 0) + coalesce(line_sums.shipping_lines_amount, 0) as shipping_amount,
        coalesce(orders.tax_amount, 0) as tax_amount,
        coalesce(line_sums.fee_amount, 0) as fee_amount,
        coalesce(refund_sums.count_refunds, 0) as count_refunds,
        coalesce(refund_sums.refunded_amount, 0) as refunded_amount,
        coalesce(line_sums.absolute_amount, 0) + coalesce(refund_sums.absolute_amount, 0)
        + abs(coalesce(orders.discount_amount, 0)) + abs(coalesce(orders.shipping_amount, 0))
        + abs(coalesce(orders.tax_amount, 0)) as absolute_amount,
        {{ exchange_rate_of('orders.currency_code', 'rates') }} as published_rate,
        case when orders.currency_code <> '{{ var("currency") }}' then rates.rate_date end as published_on
    from {{ ref('int_orders_united') }} as orders
    left join line_sums on orders.order_key = line_sums.order_key
    left join refund_sums on orders.order_key = refund_sums.order_key
    left join {{ ref('int_customers_united') }} as customers
        on orders.source_name = customers.source_name and orders.customer_id = customers.customer_id
    left join {{ ref('int_customer_identities') }} as guests
        on
            guests.record_kind = 'guest_order'
            and orders.source_name = guests.source_name
            and orders.order_id = guests.record_id
    left join {{ ref('int_exchange_rates_filled') }} as rates
        on orders.currency_code = rates.currency_code and orders.order_date = rates.valid_date
),

valued as (
    select
        *,
        {{ as_money(
            'items_amount - discount_amount' ~ (' + shipping_amount' if var('revenue_includes_shipping') else '')
        ) }} as gross_amount,
        {{ in_reporting_currency('absolute_amount', 'published_rate') }} is not null as has_usable_rate
    from own_currency
),

-- a rate at which the amounts cannot be held is none, for the order as for its lines and refunds
rated as (
    select
        *,
        case when has_usable_rate then published_rate end as exchange_rate,
        case when has_usable_rate then published_on end as exchange_rate_date
    from valued
)

select
    order_key,
    source_name,
    order_id,
    customer_key,
    ordered_at,
    promised_at,
    delivered_at,
    order_date,
    cast(date_trunc('month', order_date) as date) as order_month,
    order_status,
    payment_status,
    channel,
    device,
    coupon_code,
    country_code,
    count_lines,
    count_units,
    count_refunds,
    currency_code as original_currency_code,
    exchange_rate,
    exchange_rate_date,
    {{ as_money('items_amount') }} as original_items_amount,
    {{ as_money('gross_amount') }} as original_gross_amount,
    {{ as_money('refunded_amount') }} as original_refunded_amount,
    {{ in_reporting_currency('items_amount') }} as items_amount,
    {{ in_reporting_currency('discount_amount') }} as discount_amount,
    {{ in_reporting_currency('shipping_amount') }} as shipping_amount,
    {{ in_reporting_currency('tax_amount') }} as tax_amount,
    {{ in_reporting_currency('fee_amount') }} as fee_amount,
    {{ in_reporting_currency('gross_amount') }} as gross_amount,
    {{ in_reporting_currency('refunded_amount') }} as refunded_amount,
    {{ as_money(
        in_reporting_currency('gross_amount') ~ ' - ' ~ in_reporting_currency('refunded_amount')
    ) }} as net_amount,
    case
        when is_test then 'test'
        when coalesce(order_status, '') not in (
            'placed', 'paid', 'processing', 'shipped', 'delivered', 'cancelled', 'adjustment'
        ) then 'unknown_status'
        when order_status = 'adjustment' then 'adjustment'
        when order_status = 'cancelled' then 'cancelled'
        when is_fraud then 'fraud'
        when payment_status in ('voided', 'pending', 'failed') then 'unpaid'
        when is_gift_card_only then 'gift_card'
        when gross_amount <= 0 then 'zero_value'
        when exchange_rate is null then 'no_exchange_rate'
        when customer_type in ('wholesale', 'employee') then 'not_consumer'
        when gross_amount - refunded_amount <= 0 then 'fully_refunded'
        when customer_key is null then 'guest_unlinked'
    end as exclusion_reason
from rated
