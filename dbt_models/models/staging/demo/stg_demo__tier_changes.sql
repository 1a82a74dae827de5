-- Grain: one row per member and change of tier.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.customer_id') }} as customer_id,
        lower({{ text('raw.tier') }}) as tier,
        {{ local_to_utc(moment('raw.valid_from')) }} as changed_at,
        {{ text('raw.reason') }} as change_reason,
        {{ provenance() }},
        {{ refusals([
            rule_missing('customer_id'),
            rule_missing('tier'),
            rule_missing('valid_from'),
            rule_not_a_moment('valid_from')
        ]) }} as refusals
    from {{ source('raw', 'demo__tier_changes') }} as raw
)

{{ judged_rows('judged', key=['customer_id', 'changed_at'], happened_at='changed_at') }}
