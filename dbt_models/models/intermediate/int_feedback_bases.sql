-- Grain: one row per period, segment and base: all feedback of a period, whoever gave it and how often.
with feedback as (
    select
        *,
        coalesce(channel, 'unknown') as survey_channel,
        coalesce(language_code, 'unknown') as language,
        case
            when {{ dbt.datediff('submitted_at', 'answered_at', 'second') }} <= {{ var('feedback_reply_days') }} * 86400
                then 'in_time'
            when
                answered_at is not null
                or {{ dbt.datediff('submitted_at', as_of_ends_at(), 'second') }}
                > {{ var('feedback_reply_days') }} * 86400
                then 'late'
            else 'open'
        end as reply_state
    from {{ ref('fct_feedback') }}
),

{{ in_periods_ctes('feedback', 'feedback_date') }},

sums as (
    {{ bases_by_segment('in_periods', feedback_segment_types(), feedback_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', feedback_bases()) }}
