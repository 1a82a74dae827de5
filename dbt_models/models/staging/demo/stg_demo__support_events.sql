-- Grain: one row per thing that happened to a request for help, in the order in which it happened.
{{ config(materialized='staged', meta={'judges': 'demo__support_events'}) }}

with judged as (
    select
        {{ text('raw.contact_id') }} as contact_id,
        {{ whole_number('raw.event_number') }} as event_number,
        lower({{ text('raw.event') }}) as event_kind,
        {{ local_to_utc(moment('raw.happened_at')) }} as happened_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('contact_id'),
            ['`contact_id` names no accepted contact',
                text('raw.contact_id') ~ ' is not null and contacts.contact_id is null'],
            rule_missing('event_number'),
            rule_not_a_whole_number('event_number'),
            rule_missing('event'),
            rule_not_one_of('event', ['opened', 'auto_reply', 'agent_reply', 'resolved', 'reopened']),
            rule_missing('happened_at'),
            rule_not_a_moment('happened_at')
        ]) }} as refusals
    from {{ source('raw', 'demo__support_events') }} as raw
    left join {{ ref('stg_demo__support_contacts') }} as contacts on {{ text('raw.contact_id') }} = contacts.contact_id
)

{{ judged_rows('judged', key=['contact_id', 'event_number'], happened_at='happened_at') }}
