-- Grain: one row per account.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.customer_id') }} as customer_id,
        {{ local_to_utc(moment('raw.created_at')) }} as created_at,
        upper({{ text('raw.country') }}) as country_code,
        {{ text('raw.acquisition_channel') }} as acquisition_channel,
        lower({{ text('raw.customer_type') }}) as customer_type,
        {{ provenance() }},
        {{ refusals([rule_missing('customer_id'), rule_not_a_moment('created_at')]) }} as refusals
    from {{ source('raw', 'demo__customers') }} as raw
)

{{ judged_rows('judged', key=['customer_id'], happened_at='created_at') }}
