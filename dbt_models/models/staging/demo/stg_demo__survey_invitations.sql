-- Grain: one row per invitation to a survey, those held back by the throttle and those that bounced included.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.invitation_id') }} as invitation_id,
        {{ text('raw.customer_id') }} as customer_id,
        {{ text('raw.order_id') }} as order_id,
        lower({{ text('raw.survey') }}) as survey,
        {{ text('raw.wave') }} as wave,
        {{ text('raw.channel') }} as channel,
        {{ local_to_utc(moment('raw.sent_at')) }} as sent_at,
        lower({{ text('raw.status') }}) as invitation_status,
        {{ provenance() }},
        {{ refusals([
            rule_missing('invitation_id'),
            rule_missing('survey'),
            rule_not_one_of('survey', ['relationship', 'transactional']),
            rule_missing('sent_at'),
            rule_not_a_moment('sent_at'),
            rule_missing('status'),
            rule_not_one_of('status', ['delivered', 'bounced', 'throttled'])
        ]) }} as refusals
    from {{ source('raw', 'demo__survey_invitations') }} as raw
)

{{ judged_rows('judged', key=['invitation_id'], happened_at='sent_at') }}
