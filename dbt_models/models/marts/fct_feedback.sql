-- Grain: one row per answer, rating or review; all are kept. is_counted marks one a customer, wave and question,
-- is_latest what a customer says now.
with scored as (
    select
        feedback.*,
        customers.customer_key,
        case
            when feedback.is_reversed
                then 100.0 * (feedback.scale_max - feedback.score) / (feedback.scale_max - feedback.scale_min)
            else 100.0 * (feedback.score - feedback.scale_min) / (feedback.scale_max - feedback.scale_min)
        end as score_0_100
    from {{ ref('int_feedback_united') }} as feedback
    left join {{ ref('int_customers_united') }} as customers
        on feedback.source_name = customers.source_name and feedback.customer_id = customers.customer_id
)

select
    feedback_key,
    source_name,
    feedback_id,
    customer_key,
    order_key,
    invitation_key,
    survey,
    wave,
    instrument,
    question,
    score,
    scale_min,
    scale_max,
    coalesce(is_reversed, false) as is_reversed,
    cast(score_0_100 as double) as score_0_100,
    {{ feedback_band('instrument', 'score', 'score_0_100') }} as band,
    channel,
    language_code,
    coalesce(has_text, false) as has_text,
    invited_at,
    submitted_at,
    answered_at,
    feedback_date,
    row_number() over (
        partition by coalesce(customer_key, feedback_key), instrument, question
        order by submitted_at desc nulls last, feedback_key desc nulls last
    ) = 1 as is_latest,
    row_number() over (
        partition by coalesce(customer_key, feedback_key), instrument, question, wave
        order by submitted_at desc nulls last, feedback_key desc nulls last
    ) = 1 as is_counted
from scored
