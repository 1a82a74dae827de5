-- Grain: one row per visit to the web shop or the app.
{{ config(materialized='staged') }}

with judged as (
    select
        cast(raw.visit_id as varchar) as visit_id,
        cast(raw.customer_id as varchar) as customer_id,
        cast(raw.device as varchar) as device,
        cast(raw.channel as varchar) as channel,
        {{ local_to_utc(moment('raw.started_at')) }} as started_at,
        try_cast(raw.count_pages as bigint) as count_pages,
        coalesce(try_cast(raw.has_cart as boolean), false) as has_cart,
        {{ provenance() }},
        {{ refusals([
            ['`visit_id` is missing', 'raw.visit_id is null'],
            ['`started_at` is missing', 'raw.started_at is null'],
            ['`started_at` is not a time', 'raw.started_at is not null and ' ~ moment('raw.started_at') ~ ' is null'],
            ['`count_pages` is below zero', 'try_cast(raw.count_pages as bigint) < 0']
        ]) }} as refusals
    from {{ source('raw', 'demo__visits') }} as raw
)

{{ judged_rows('judged', key=['visit_id'], happened_at='started_at') }}
