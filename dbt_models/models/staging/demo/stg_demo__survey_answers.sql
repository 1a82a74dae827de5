-- Grain: one row per answer to a survey question. The invitation says which survey was answered, and in which wave.
{{ config(materialized='staged', meta={'judges': 'demo__survey_answers'}) }}

with judged as (
    select
        {{ text('raw.answer_id') }} as feedback_id,
        {{ text('raw.customer_id') }} as customer_id,
        {{ text('raw.order_id') }} as order_id,
        {{ text('raw.invitation_id') }} as invitation_id,
        invitations.survey,
        invitations.wave,
        questions.instrument,
        questions.question,
        {{ whole_number('raw.score') }} as score,
        questions.scale_min,
        questions.scale_max,
        questions.is_reversed,
        {{ text('raw.channel') }} as channel,
        {{ text('raw.language') }} as language_code,
        {{ text('raw.comment') }} is not null as has_text,
        {{ text('raw.comment') }} as written_text,
        invitations.sent_at as invited_at,
        {{ local_to_utc(moment('raw.answered_at')) }} as submitted_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('answer_id'),
            rule_missing('answered_at'),
            rule_not_a_moment('answered_at'),
            rule_missing('score'),
            rule_not_a_whole_number('score'),
            ['`question` is not in the questionnaire', 'questions.question is null'],
            ['`score` is off the scale of its question',
                'not (' ~ whole_number('raw.score') ~ ' between questions.scale_min and questions.scale_max)'],
            ['`invitation_id` names no accepted invitation',
                text('raw.invitation_id') ~ ' is not null and invitations.invitation_id is null']
        ]) }} as refusals
    from {{ source('raw', 'demo__survey_answers') }} as raw
    left join {{ ref('stg_demo__survey_invitations') }} as invitations
        on {{ text('raw.invitation_id') }} = invitations.invitation_id
    left join {{ ref('feedback_questions') }} as questions
        on {{ is_question('demo', 'lower(' ~ text('raw.question') ~ ')', 'invitations.survey') }}
)

{{ judged_rows('judged', key=['feedback_id'], happened_at='submitted_at') }}
