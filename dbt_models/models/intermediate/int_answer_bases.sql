-- Grain: one row per period, segment and base: what customers answered, the latest sheet of each in the period. An
-- anonymous answer is a customer of its own.
with sheets as (
    select
        {%- for name in customer_segment_types() %}
        coalesce(segments.{{ name }}, 'unknown') as {{ name }},
        {%- endfor %}
        sheets.*
    from {{ ref('int_answer_sheets') }} as sheets
    left join {{ ref('int_customer_segments') }} as segments on sheets.customer_key = segments.customer_key
),

{{ in_periods_ctes('sheets', 'feedback_date') }},

latest as (
    select
        *,
        row_number() over (
            partition by period_type, period_start, instrument, coalesce(customer_key, sheet_key)
            order by submitted_at desc nulls last, feedback_key desc nulls last
        ) as sheet_number
    from in_periods
),

counted as (
    select * from latest
    where sheet_number = 1
),

sums as (
    {{ bases_by_segment('counted', answer_segment_types(), answer_bases()) }}  -- noqa: PRS
),

score_values as (
    {%- for score in range(11) %}
    select {{ score }} as score
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- every score has its row, also the one that nobody gave; all of a period's answers are the base of each
score_counts as (
    select
        counted.period_type,
        counted.period_start,
        counted.instrument,
        score_values.score,
        count(*) filter (where counted.score = score_values.score) as count_at_score,
        count(*) as count_answers
    from counted
    cross join score_values
    where counted.instrument in ('nps', 'nps_transactional')
    group by counted.period_type, counted.period_start, counted.instrument, score_values.score
)

{{ bases_in_rows('sums', answer_bases()) }}
{%- for name, amount in {'at_score': 'count_at_score', 'of_scores': 'count_answers'}.items() %}
union all
select
    period_type,
    period_start,
    'score' as segment_type,
    cast(score as {{ dbt.type_string() }}) as segment,
    'count_' || instrument || '_{{ name }}' as base,
    cast({{ amount }} as decimal(38, 8)) as amount
from score_counts
{%- endfor %}
