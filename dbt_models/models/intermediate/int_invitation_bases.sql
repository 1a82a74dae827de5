-- Grain: one row per period, segment and base: who was to be asked, who was reached, who answered.
with invitations as (
    select
        invitations.survey,
        invitations.sent_date,
        invitations.is_delivered,
        invitations.is_bounced,
        invitations.is_throttled,
        invitations.is_answered,
        invitations.is_awaiting_answer,
        invitations.is_sent_too_soon,
        {%- for name in customer_segment_types() %}
        coalesce(segments.{{ name }}, 'unknown') as {{ name }},
        {%- endfor %}
        coalesce(invitations.channel, 'unknown') as survey_channel
    from {{ ref('fct_survey_invitations') }} as invitations
    left join {{ ref('int_customer_segments') }} as segments on invitations.customer_key = segments.customer_key
),

{{ in_periods_ctes('invitations', 'sent_date') }},

sums as (
    {{ bases_by_segment('in_periods', invitation_segment_types(), invitation_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', invitation_bases()) }}
