-- Grain: one row per line of an accepted order.
{{ config(
    materialized='staged',
    meta={
        'judges': 'demo__order_lines',
        'reconciled_amount': {
            'raw': product_amount(whole_number('raw.quantity'), number('raw.unit_price')), 'staged': 'line_amount'
        }
    }
) }}

with order_times as (
    select
        {{ text('order_id') }} as order_id,
        max({{ local_to_utc(moment('ordered_at')) }}) as ordered_at
    from {{ source('raw', 'demo__orders') }}
    group by {{ text('order_id') }}
),

judged as (
    select
        {{ text('raw.order_id') }} as order_id,
        {{ whole_number('raw.line_number') }} as line_number,
        {{ text('raw.product_id') }} as product_id,
        'product' as line_kind,
        {{ whole_number('raw.quantity') }} as quantity,
        {{ number('raw.unit_price') }} as unit_price,
        {{ product_amount(whole_number('raw.quantity'), number('raw.unit_price')) }} as line_amount,
        coalesce(orders.ordered_at, order_times.ordered_at) as ordered_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('order_id'),
            rule_missing('line_number'),
            rule_not_a_whole_number('line_number'),
            rule_missing('quantity'),
            rule_not_a_whole_number('quantity'),
            rule_missing('unit_price'),
            rule_not_a_number('unit_price'),
            rule_no_amount('quantity', 'unit_price'),
            ['`order_id` names no accepted order', 'orders.order_id is null']
        ]) }} as refusals
    from {{ source('raw', 'demo__order_lines') }} as raw
    left join {{ ref('stg_demo__orders') }} as orders on {{ text('raw.order_id') }} = orders.order_id
    left join order_times on {{ text('raw.order_id') }} = order_times.order_id
)

{{ judged_rows('judged', key=['order_id', 'line_number'], happened_at='ordered_at') }}
