-- Grain: one row per member, badge and moment of its award.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.customer_id') }} as customer_id,
        lower({{ text('raw.badge') }}) as badge_name,
        {{ whole_number('raw.level') }} as badge_level,
        {{ local_to_utc(moment('raw.awarded_at')) }} as awarded_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('customer_id'),
            rule_missing('badge'),
            rule_missing('awarded_at'),
            rule_not_a_moment('awarded_at'),
            rule_not_a_whole_number('level')
        ]) }} as refusals
    from {{ source('raw', 'demo__badges') }} as raw
)

{{ judged_rows('judged', key=['customer_id', 'badge_name', 'awarded_at'], happened_at='awarded_at') }}
