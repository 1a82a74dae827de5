-- Grain: one row per review and order. Stars of a satisfaction survey sent after delivery; a review id may stand on
-- several orders, and then it counts for each.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.review_id') }} || '-' || {{ text('raw.order_id') }} as feedback_id,
        orders.customer_id,
        orders.order_id,
        questions.instrument,
        questions.question,
        {{ whole_number('raw.review_score') }} as score,
        questions.scale_min,
        questions.scale_max,
        questions.is_reversed,
        'transactional' as survey,
        'email' as channel,
        'pt' as language_code,
        {{ text('raw.review_comment_message') }} is not null as has_text,
        {{ text('raw.review_comment_message') }} as written_text,
        {{ local_to_utc(moment('raw.review_creation_date')) }} as invited_at,
        {{ local_to_utc(
            'coalesce(' ~ moment('raw.review_answer_timestamp') ~ ', ' ~ moment('raw.review_creation_date') ~ ')'
        ) }} as submitted_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('review_id'),
            rule_missing('order_id'),
            rule_missing('review_score'),
            rule_not_a_whole_number('review_score'),
            ['`review_score` is off the scale of 1 to 5',
                'not (' ~ whole_number('raw.review_score') ~ ' between questions.scale_min and questions.scale_max)'],
            rule_not_a_moment('review_creation_date'),
            rule_not_a_moment('review_answer_timestamp'),
            ['`review_answer_timestamp` and `review_creation_date` are both missing',
                text('raw.review_answer_timestamp') ~ ' is null and ' ~ text('raw.review_creation_date') ~ ' is null']
        ]) }} as refusals
    from {{ source('raw', 'olist__order_reviews') }} as raw
    left join {{ ref('stg_olist__orders') }} as orders on {{ text('raw.order_id') }} = orders.order_id
    left join {{ ref('feedback_questions') }} as questions on {{ is_question('olist', "'review_score'") }}
)

{{ judged_rows('judged', key=['feedback_id'], happened_at='submitted_at') }}
