-- Grain: one row per account: the public handle that its owner has told the shop. Never published.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.customer_id') }} as customer_id,
        lower({{ text('raw.social_handle') }}) as social_handle,
        {{ local_to_utc(moment('raw.updated_at')) }} as updated_at,
        {{ provenance() }},
        {{ refusals([rule_missing('customer_id'), rule_not_a_moment('updated_at')]) }} as refusals
    from {{ source('raw', 'demo__contacts') }} as raw
)

{{ judged_rows('judged', key=['customer_id'], latest_by='updated_at') }}
