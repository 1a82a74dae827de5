-- Grain: one row per item of an accepted order; an item is one unit.
{{ config(
    materialized='staged',
    meta={'judges': 'olist__order_items', 'reconciled_amount': {'raw': number('raw.price'), 'staged': 'line_amount'}}
) }}

with order_times as (
    select
        {{ text('order_id') }} as order_id,
        max({{ local_to_utc(moment('order_purchase_timestamp')) }}) as ordered_at
    from {{ source('raw', 'olist__orders') }}
    group by {{ text('order_id') }}
),

judged as (
    select
        {{ text('raw.order_id') }} as order_id,
        {{ whole_number('raw.order_item_id') }} as line_number,
        {{ text('raw.product_id') }} as product_id,
        'product' as line_kind,
        1 as quantity,
        {{ number('raw.price') }} as unit_price,
        {{ number('raw.price') }} as line_amount,
        {{ number('raw.freight_value') }} as shipping_amount,
        coalesce(orders.ordered_at, order_times.ordered_at) as ordered_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('order_id'),
            rule_missing('order_item_id'),
            rule_not_a_whole_number('order_item_id'),
            rule_missing('price'),
            rule_not_a_number('price'),
            rule_not_a_number('freight_value'),
            ['`order_id` names no accepted order', 'orders.order_id is null']
        ]) }} as refusals
    from {{ source('raw', 'olist__order_items') }} as raw
    left join {{ ref('stg_olist__orders') }} as orders on {{ text('raw.order_id') }} = orders.order_id
    left join order_times on {{ text('raw.order_id') }} = order_times.order_id
)

{{ judged_rows('judged', key=['order_id', 'line_number'], happened_at='ordered_at') }}
