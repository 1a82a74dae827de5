-- Grain: one row per feedback metric, period and segment, as counts. One answer per customer and period: the latest.
with answers as (
    select
        periods.period_type,
        periods.period_start,
        periods.is_mature,
        feedback.instrument,
        feedback.score,
        feedback.band,
        row_number() over (
            partition by
                periods.period_type,
                periods.period_start,
                feedback.instrument,
                coalesce(feedback.customer_key, feedback.feedback_key)
            order by feedback.submitted_at desc nulls last, feedback.feedback_key desc nulls last
        ) as answer_number
    from {{ ref('fct_feedback') }} as feedback
    inner join {{ ref('int_metric_periods') }} as periods
        on feedback.feedback_date >= periods.period_start and feedback.feedback_date < periods.period_end
    where feedback.instrument in ('nps', 'csat') and periods.period_type <> 'day'
),

counted as (
    select
        period_type,
        period_start,
        is_mature,
        instrument,
        count(*) as count_answers,
        count(*) filter (where band = 'promoter') as count_promoters,
        count(*) filter (where band = 'detractor') as count_detractors,
        count(*) filter (where band = 'satisfied') as count_satisfied,
        count(*) filter (where band = 'dissatisfied') as count_dissatisfied
    from answers
    where answer_number = 1
    group by period_type, period_start, is_mature, instrument
),

score_counts as (
    select
        period_type,
        period_start,
        score,
        count(*) as count_answers
    from answers
    where answer_number = 1 and instrument = 'nps'
    group by period_type, period_start, score
),

score_values as (
    {%- for score in range(11) %}
    select {{ score }} as score
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    'nps' as metric,
    'all' as segment_type,
    'all' as segment,
    period_type,
    period_start,
    is_mature,
    count_promoters - count_detractors as numerator,
    count_answers as denominator,
    count_promoters,
    count_detractors
from counted
where instrument = 'nps'
union all
select
    'csat_share' as metric,
    'all' as segment_type,
    'all' as segment,
    period_type,
    period_start,
    is_mature,
    count_satisfied as numerator,
    count_answers as denominator,
    cast(null as bigint) as count_promoters,
    cast(null as bigint) as count_detractors
from counted
where instrument = 'csat'
union all
select
    'csat_dissatisfied_share' as metric,
    'all' as segment_type,
    'all' as segment,
    period_type,
    period_start,
    is_mature,
    count_dissatisfied as numerator,
    count_answers as denominator,
    cast(null as bigint) as count_promoters,
    cast(null as bigint) as count_detractors
from counted
where instrument = 'csat'
union all
select
    'nps_score_share' as metric,
    'score' as segment_type,
    cast(score_values.score as {{ dbt.type_string() }}) as segment,
    counted.period_type,
    counted.period_start,
    counted.is_mature,
    coalesce(score_counts.count_answers, 0) as numerator,
    counted.count_answers as denominator,
    cast(null as bigint) as count_promoters,
    cast(null as bigint) as count_detractors
from counted
cross join score_values
left join score_counts
    on
        counted.period_type = score_counts.period_type
        and counted.period_start = score_counts.period_start
        and score_values.score = score_counts.score
where counted.instrument = 'nps'
