-- Grain: one row per refund.
{{ config(
    materialized='staged',
    meta={'reconciled_amount': {'raw': number('raw.refund_amount'), 'staged': 'refund_amount'}}
) }}

with judged as (
    select
        {{ text('raw.refund_id') }} as refund_id,
        {{ text('raw.order_id') }} as order_id,
        orders.customer_id,
        {{ local_to_utc(moment('raw.refunded_at')) }} as refunded_at,
        {{ number('raw.refund_amount') }} as refund_amount,
        orders.currency_code,
        {{ text('raw.reason') }} as refund_reason,
        {{ provenance() }},
        {{ refusals([
            rule_missing('refund_id'),
            rule_missing('refunded_at'),
            rule_not_a_moment('refunded_at'),
            rule_missing('refund_amount'),
            rule_not_a_number('refund_amount'),
            ['`order_id` names no accepted order', 'orders.order_id is null']
        ]) }} as refusals
    from {{ source('raw', 'demo__refunds') }} as raw
    left join {{ ref('stg_demo__orders') }} as orders on {{ text('raw.order_id') }} = orders.order_id
)

{{ judged_rows('judged', key=['refund_id'], happened_at='refunded_at') }}
