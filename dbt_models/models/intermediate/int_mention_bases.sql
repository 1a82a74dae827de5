-- Grain: one row per period, segment and base: what is said of the shop in public.
with mentions as (
    select
        *,
        coalesce(language_code, 'unknown') as language
    from {{ ref('fct_mentions') }}
),

{{ in_periods_ctes('mentions', 'mentioned_date') }},

sums as (
    {{ bases_by_segment('in_periods', mention_segment_types(), mention_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', mention_bases()) }}
