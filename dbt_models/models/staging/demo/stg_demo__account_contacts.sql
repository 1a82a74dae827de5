-- Grain: one row per account of which the shop says how its owner is reached.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.customer_id') }} as customer_id,
        {{ pseudonym('raw.loyalty_card') }} as loyalty_card,
        {{ pseudonym('raw.email__mailbox') }} as mailbox,
        {{ pseudonym('raw.email') }} as email,
        {{ pseudonym('raw.phone') }} as phone,
        {{ pseudonym('raw.social_handle') }} as social_handle,
        {{ pseudonym('raw.full_name') }} as full_name,
        {{ pseudonym('raw.birthday') }} as birthday,
        {{ flag('raw.has_marketing_consent') }} as has_marketing_consent,
        {{ text('raw.preferred_channel') }} as preferred_channel,
        {{ text('raw.preferred_kind') }} as preferred_kind,
        {{ local_to_utc(moment('raw.updated_at')) }} as updated_at,
        {{ provenance() }},
        {{ refusals([rule_missing('customer_id'), rule_not_a_moment('updated_at')]) }} as refusals
    from {{ source('raw', 'demo__contacts') }} as raw
)

{{ judged_rows('judged', key=['customer_id'], happened_at='updated_at', latest_by='updated_at') }}
