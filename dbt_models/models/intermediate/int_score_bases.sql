-- Grain: one row per period, segment and base: loyalty scores as of the night, as counts and exact sums.
with scored as (
    select
        periods.period_type,
        periods.period_start,
        {%- for name in score_segment_types() %}
        segments.{{ name }},
        {%- endfor %}
        scores.score_behavioural,
        scores.score_emotional,
        scores.score_financial,
        scores.score_overall,
        scores.coverage_share
    from {{ ref('loyalty_scores') }} as scores
    inner join {{ ref('int_customer_segments') }} as segments on scores.customer_key = segments.customer_key
    inner join {{ ref('int_metric_periods') }} as periods on periods.period_type = 'lifetime'
),

sums as (
    {{ bases_by_segment('scored', score_segment_types(), score_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', score_bases()) }}
