-- Grain: one row per period, segment and base: how customers who asked for help were served.
with contacts as (
    select
        *,
        coalesce(channel, 'unknown') as contact_channel,
        coalesce(topic, 'unknown') as contact_topic
    from {{ ref('fct_support_contacts') }}
),

{{ in_periods_ctes('contacts', 'opened_date') }},

sums as (
    {{ bases_by_segment('in_periods', contact_segment_types(), contact_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', contact_bases()) }}
