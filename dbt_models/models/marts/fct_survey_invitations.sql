-- Grain: one row per invitation to a survey, those held back and those that bounced included.
with answers as (
    select
        source_name,
        invitation_id,
        count(*) as count_answers,
        min(submitted_at) as answered_at
    from {{ ref('int_feedback_united') }}
    where invitation_id is not null
    group by source_name, invitation_id
),

numbered as (
    select
        invitations.*,
        customers.customer_key,
        -- what was sent to the same customer before, whatever became of it; what was held back was not sent
        max(case when invitations.invitation_status <> 'throttled' then invitations.sent_at end) over (
            partition by coalesce(customers.customer_key, invitations.invitation_key)
            order by invitations.sent_at asc nulls last, invitations.invitation_key asc
            rows between unbounded preceding and 1 preceding
        ) as previous_sent_at
    from {{ ref('int_survey_invitations_united') }} as invitations
    left join {{ ref('int_customers_united') }} as customers
        on invitations.source_name = customers.source_name and invitations.customer_id = customers.customer_id
)

select
    numbered.invitation_key,
    numbered.source_name,
    numbered.invitation_id,
    numbered.customer_key,
    numbered.order_key,
    numbered.survey,
    coalesce(numbered.wave, {{ quarter_name('numbered.sent_date') }}) as wave,
    numbered.channel,
    numbered.sent_at,
    numbered.sent_date,
    numbered.invitation_status,
    answers.answered_at as first_answered_at,
    coalesce(answers.count_answers, 0) as count_answers,
    {{ dbt.datediff(business_date('numbered.previous_sent_at'), 'numbered.sent_date', 'day') }}
        as days_since_previous,
    numbered.invitation_status = 'delivered' as is_delivered,
    numbered.invitation_status = 'bounced' as is_bounced,
    numbered.invitation_status = 'throttled' as is_throttled,
    answers.invitation_id is not null as is_answered,
    answers.invitation_id is null
    and numbered.invitation_status = 'delivered'
    and {{ dbt.datediff('numbered.sent_date', as_of_date(), 'day') }} < {{ var('survey_answer_days') }}
        as is_awaiting_answer,
    coalesce(
        numbered.invitation_status <> 'throttled'
        and {{ dbt.datediff(business_date('numbered.previous_sent_at'), 'numbered.sent_date', 'day') }}
        < {{ var('survey_throttle_days') }},
        false
    ) as is_sent_too_soon
from numbered
left join answers
    on numbered.source_name = answers.source_name and numbered.invitation_id = answers.invitation_id
