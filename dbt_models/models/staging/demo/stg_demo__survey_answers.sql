-- Grain: one row per answer to a survey question.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.answer_id') }} as feedback_id,
        {{ text('raw.customer_id') }} as customer_id,
        {{ text('raw.order_id') }} as order_id,
        lower({{ text('raw.question') }}) as instrument,
        case lower({{ text('raw.question') }}) when 'nps' then 'recommend' when 'csat' then 'overall_satisfaction' end
            as question,
        {{ whole_number('raw.score') }} as score,
        case lower({{ text('raw.question') }}) when 'nps' then 0 when 'csat' then 1 end as scale_min,
        case lower({{ text('raw.question') }}) when 'nps' then 10 when 'csat' then 5 end as scale_max,
        false as is_reversed,
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
            ['`question` is neither nps nor csat',
                "coalesce(lower(" ~ text('raw.question') ~ "), '') not in ('nps', 'csat')"],
            ['`score` is off the scale of its question', "not (" ~ whole_number('raw.score') ~ " between
                case lower(" ~ text('raw.question') ~ ") when 'nps' then 0 when 'csat' then 1 end and
                case lower(" ~ text('raw.question') ~ ") when 'nps' then 10 when 'csat' then 5 end)"]
        ]) }} as refusals
    from {{ source('raw', 'demo__survey_answers') }} as raw
)

{{ judged_rows('judged', key=['feedback_id'], happened_at='submitted_at') }}
