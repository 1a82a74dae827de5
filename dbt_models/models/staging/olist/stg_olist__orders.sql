-- Grain: one row per order.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.order_id') }} as order_id,
        {{ text('raw.customer_id') }} as order_customer_id,
        customers.customer_id,
        {{ local_to_utc(moment('raw.order_purchase_timestamp')) }} as ordered_at,
        {{ local_to_utc(moment('raw.order_estimated_delivery_date')) }} as promised_at,
        {{ local_to_utc(moment('raw.order_delivered_customer_date')) }} as delivered_at,
        case lower({{ text('raw.order_status') }})
            when 'created' then 'placed'
            when 'approved' then 'paid'
            when 'invoiced' then 'paid'
            when 'canceled' then 'cancelled'
            when 'unavailable' then 'cancelled'
            else lower({{ text('raw.order_status') }})
        end as order_status,
        'BRL' as currency_code,
        'marketplace' as channel,
        'BR' as country_code,
        {{ provenance() }},
        {{ refusals([
            rule_missing('order_id'),
            rule_missing('order_purchase_timestamp'),
            rule_not_a_moment('order_purchase_timestamp'),
            rule_missing('order_status')
        ]) }} as refusals
    from {{ source('raw', 'olist__orders') }} as raw
    left join {{ ref('stg_olist__order_customers') }} as customers
        on {{ text('raw.customer_id') }} = customers.order_customer_id
)

{{ judged_rows('judged', key=['order_id'], happened_at='ordered_at') }}
