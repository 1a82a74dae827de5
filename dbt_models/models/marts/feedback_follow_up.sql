-- Grain: one row per customer's word that waits for an answer: detractors, and severe complaints. What would cost
-- most to lose comes first.
{{ config(tags=['after_models']) }}

with waiting as (
    select
        feedback_key as follow_up_key,
        'detractor' as follow_up_kind,
        'no_reply' as follow_up_reason,
        customer_key,
        order_key,
        channel,
        instrument as subject,
        cast(score as bigint) as given_score,
        has_text,
        submitted_at as waiting_since_at,
        feedback_date as waiting_since_date,
        {{ dbt.datediff('submitted_at', as_of_ends_at(), 'second') }} > {{ var('feedback_reply_days') }} * 86400
            as is_overdue,
        '{{ var("detractor_owner") }}' as owner_team
    from {{ ref('fct_feedback') }}
    where
        band = 'detractor'
        and answered_at is null
        and is_latest
        and {{ dbt.datediff('feedback_date', as_of_date(), 'day') }} < {{ var('follow_up_days') }}
    union all
    select
        contact_key as follow_up_key,
        'severe_complaint' as follow_up_kind,
        case when first_replied_at is null then 'no_reply' else 'not_resolved' end as follow_up_reason,
        customer_key,
        order_key,
        channel,
        topic as subject,
        csat_score as given_score,
        has_text,
        opened_at as waiting_since_at,
        opened_date as waiting_since_date,
        (first_replied_at is null and first_reply_state = 'late')
        or (first_replied_at is not null and resolution_state = 'late') as is_overdue,
        '{{ var("complaint_owner") }}' as owner_team
    from {{ ref('fct_support_contacts') }}
    where is_complaint and severity = 'high' and not is_resolved
)

select
    waiting.follow_up_key,
    waiting.follow_up_kind,
    cast(row_number() over (
        order by
            churn.probability_no_order * clv.predicted_clv desc nulls last,
            waiting.waiting_since_at asc nulls last,
            waiting.follow_up_kind asc,
            waiting.follow_up_key asc
    ) as bigint) as follow_up_rank,
    waiting.follow_up_reason,
    waiting.owner_team,
    waiting.customer_key,
    waiting.order_key,
    waiting.channel,
    waiting.subject,
    waiting.given_score,
    waiting.has_text,
    waiting.waiting_since_at,
    waiting.waiting_since_date,
    {{ dbt.datediff('waiting.waiting_since_date', as_of_date(), 'day') }} as age_days,
    coalesce(waiting.is_overdue, false) as is_overdue,
    churn.probability_no_order,
    clv.predicted_clv,
    {{ as_money('churn.probability_no_order * clv.predicted_clv') }} as clv_at_risk
from waiting
left join {{ source('models', 'customer_clv') }} as clv on waiting.customer_key = clv.customer_key
left join {{ source('models', 'customer_churn') }} as churn on waiting.customer_key = churn.customer_key
