-- Grain: one row per request for help or complaint.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.contact_id') }} as contact_id,
        {{ text('raw.customer_id') }} as customer_id,
        {{ text('raw.order_id') }} as order_id,
        lower({{ text('raw.channel') }}) as channel,
        lower({{ text('raw.kind') }}) as contact_kind,
        lower({{ text('raw.topic') }}) as topic,
        lower({{ text('raw.severity') }}) as severity,
        {{ text('raw.language') }} as language_code,
        {{ whole_number('raw.csat_score') }} as csat_score,
        {{ text('raw.message') }} is not null as has_text,
        {{ text('raw.message') }} as written_text,
        {{ local_to_utc(moment('raw.opened_at')) }} as opened_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('contact_id'),
            rule_missing('opened_at'),
            rule_not_a_moment('opened_at'),
            rule_missing('kind'),
            rule_not_one_of('kind', ['question', 'request', 'complaint']),
            rule_not_one_of('severity', ['low', 'medium', 'high']),
            rule_not_a_whole_number('csat_score'),
            ['`csat_score` is off the scale of its question',
                'not (' ~ whole_number('raw.csat_score') ~ ' between questions.scale_min and questions.scale_max)']
        ]) }} as refusals
    from {{ source('raw', 'demo__support_contacts') }} as raw
    left join {{ ref('feedback_questions') }} as questions on {{ is_question('demo', "'contact_rating'") }}
)

{{ judged_rows('judged', key=['contact_id'], happened_at='opened_at') }}
