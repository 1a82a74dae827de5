-- Grain: one row per product review, in its latest version.
{{ config(materialized='staged') }}

with judged as (
    select
        cast(raw.review_id as varchar) as feedback_id,
        cast(raw.customer_id as varchar) as customer_id,
        cast(raw.order_id as varchar) as order_id,
        questions.instrument,
        questions.question,
        try_cast(raw.stars as bigint) as score,
        questions.scale_min,
        questions.scale_max,
        questions.is_reversed,
        'web' as channel,
        cast(raw.language as varchar) as language_code,
        {{ text('cast(raw.review_text as varchar)') }} is not null as has_text,
        {{ text('cast(raw.review_text as varchar)') }} as written_text,
        {{ local_to_utc(moment('raw.created_at')) }} as submitted_at,
        {{ local_to_utc(moment('raw.updated_at')) }} as updated_at,
        {{ provenance() }},
        {{ refusals([
            ['`review_id` is missing', 'raw.review_id is null'],
            ['`created_at` is missing', 'raw.created_at is null'],
            ['`created_at` is not a time', 'raw.created_at is not null and ' ~ moment('raw.created_at') ~ ' is null'],
            ['`stars` is missing or off the scale of 1 to 5',
                'coalesce(try_cast(raw.stars as bigint), 0) not between questions.scale_min and questions.scale_max']
        ]) }} as refusals
    from {{ source('raw', 'demo__reviews') }} as raw
    left join {{ ref('feedback_questions') }} as questions on {{ is_question('demo', "'stars'") }}
)

{{ judged_rows('judged', key=['feedback_id'], happened_at='submitted_at', latest_by='updated_at') }}
