-- Grain: one row per accepted order of a guest who left an address or a telephone number.
{{ config(materialized='staged', meta={'judges': 'demo__guest_contacts'}) }}

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
        {{ pseudonym('raw.email__mailbox') }} as mailbox,
        {{ pseudonym('raw.email') }} as email,
        {{ pseudonym('raw.phone') }} as phone,
        coalesce(orders.ordered_at, order_times.ordered_at) as ordered_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('order_id'),
            ['`order_id` names no accepted order', 'orders.order_id is null']
        ]) }} as refusals
    from {{ source('raw', 'demo__guest_contacts') }} as raw
    left join {{ ref('stg_demo__orders') }} as orders on {{ text('raw.order_id') }} = orders.order_id
    left join order_times on {{ text('raw.order_id') }} = order_times.order_id
)

{{ judged_rows('judged', key=['order_id'], happened_at='ordered_at') }}
