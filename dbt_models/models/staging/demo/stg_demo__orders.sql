-- Grain: one row per order.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.order_id') }} as order_id,
        {{ text('raw.customer_id') }} as customer_id,
        {{ local_to_utc(moment('raw.ordered_at')) }} as ordered_at,
        lower({{ text('raw.status') }}) as order_status,
        lower({{ text('raw.payment_status') }}) as payment_status,
        upper({{ text('raw.currency') }}) as currency_code,
        {{ number('raw.discount_amount') }} as discount_amount,
        {{ number('raw.shipping_amount') }} as shipping_amount,
        {{ number('raw.tax_amount') }} as tax_amount,
        {{ text('raw.channel') }} as channel,
        {{ text('raw.device') }} as device,
        {{ text('raw.coupon_code') }} as coupon_code,
        coalesce(try_cast(raw.is_test as boolean), false) as is_test,
        coalesce(try_cast(raw.is_gift_card_only as boolean), false) as is_gift_card_only,
        {{ local_to_utc(moment('raw.delivery_promised_on')) }} as promised_at,
        {{ local_to_utc(moment('raw.delivered_at')) }} as delivered_at,
        {{ local_to_utc(moment('raw.updated_at')) }} as updated_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('order_id'),
            rule_missing('ordered_at'),
            rule_not_a_moment('ordered_at'),
            rule_missing('status'),
            rule_missing('currency'),
            rule_not_a_number('discount_amount'),
            rule_not_a_number('shipping_amount'),
            rule_not_a_number('tax_amount')
        ]) }} as refusals
    from {{ source('raw', 'demo__orders') }} as raw
)

{{ judged_rows('judged', key=['order_id'], happened_at='ordered_at', latest_by='updated_at') }}
