-- Grain: one row per answer to a survey question.
{{ config(materialized='staged') }}

with questions as ({{ demo_survey_questions() }}),

judged as (
    select
        {{ text('raw.answer_id') }} as feedback_id,
        {{ text('raw.customer_id') }} as customer_id,
        {{ text('raw.order_id') }} as order_id,
        questions.instrument,
        questions.question,
        {{ whole_number('raw.score') }} as score,
        questions.scale_min,
        questions.scale_max,
        questions.is_reversed,
        {{ text('raw.channel') }} as channel,
        {{ text('raw.language') }} as language_code,
        {{ text('raw.comment') }} is not null as has_text,
        {{ local_to_utc(moment('raw.answered_at')) }} as submitted_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('answer_id'),
            rule_missing('answered_at'),
            rule_not_a_moment('answered_at'),
            rule_missing('score'),
            rule_not_a_whole_number('score'),
            ['`question` is not in the questionnaire', 'questions.code is null'],
            ['`score` is off the scale of its question',
                'not (' ~ whole_number('raw.score') ~ ' between questions.scale_min and questions.scale_max)']
        ]) }} as refusals
    from {{ source('raw', 'demo__survey_answers') }} as raw
    left join questions on lower({{ text('raw.question') }}) = questions.code
)

{{ judged_rows('judged', key=['feedback_id'], happened_at='submitted_at') }}
