-- Grain: one row per period, segment and base: what is said of the shop in public, and in what tone.
{{ config(tags=['after_models']) }}

with mentions as (
    select
        mentions.*,
        coalesce(mentions.language_code, 'unknown') as language,
        case texts.tone when 'positive' then 1 when 'neutral' then 0 when 'negative' then -1 end as tone_points
    from {{ ref('fct_mentions') }} as mentions
    left join {{ source('models', 'text_sentiment') }} as texts
        on texts.stands_beside = 'mention' and mentions.mention_key = texts.text_key
),

{{ in_periods_ctes('mentions', 'mentioned_date') }},

sums as (
    {{ bases_by_segment('in_periods', mention_segment_types(), mention_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', mention_bases()) }}
