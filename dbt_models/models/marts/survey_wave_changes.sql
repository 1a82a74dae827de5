-- Grain: one row per instrument and wave after its first: what changed since the wave before, and whether that is more
-- than chance. Where enough of the same customers answered both waves they are compared with themselves.
with answers as (
    select
        instrument,
        wave,
        coalesce(customer_key, sheet_key) as respondent,
        feedback_date,
        -- decimals, whose sums are the same in any order
        cast(
            case when instrument = 'cli' then score_0_100 else 100 * net_points end as decimal(12, 6)
        ) as answer_points,
        row_number() over (
            partition by instrument, wave, coalesce(customer_key, sheet_key)
            order by submitted_at desc nulls last, feedback_key desc nulls last
        ) as answer_number
    from {{ ref('int_answer_sheets') }}
    where instrument in ('nps', 'nps_transactional', 'cli') and wave is not null
),

counted as (
    select
        instrument,
        wave,
        min(feedback_date) as wave_start,
        count(*) as count_answers,
        cast(avg(answer_points) as double) as points,
        count(*) filter (where answer_points > 0) as count_promoters,
        count(*) filter (where answer_points < 0) as count_detractors,
        {{ exact_variance('answer_points') }} as variance
    from answers
    where answer_number = 1
    group by instrument, wave
),

scored as (
    select
        *,
        -- the adjusted Wald score of a net score, as its interval has it; plain mean and variance of an index
        case
            when instrument = 'cli' then points
            else 100.0 * (count_promoters - count_detractors) / (count_answers + 3)
        end as adjusted_points,
        case
            when instrument = 'cli' then variance / count_answers
            else 10000.0 * (
                (count_promoters + count_detractors + 1.5) / (count_answers + 3)
                - power(cast(count_promoters - count_detractors as double) / (count_answers + 3), 2)
            ) / (count_answers + 3)
        end as squared_error
    from counted
),

followed as (
    select
        *,
        lag(wave) over in_order as previous_wave,
        lag(points) over in_order as previous_points,
        lag(count_answers) over in_order as previous_count_answers,
        lag(adjusted_points) over in_order as previous_adjusted_points,
        lag(squared_error) over in_order as previous_squared_error
    from scored
    window in_order as (partition by instrument order by wave_start asc, wave asc)
),

pairs as (
    select
        followed.instrument,
        followed.wave,
        count(*) as count_pairs,
        cast(avg(later.answer_points - earlier.answer_points) as double) as paired_change,
        sqrt({{ exact_variance('later.answer_points - earlier.answer_points') }} / count(*)) as paired_error
    from followed
    inner join answers as later
        on followed.instrument = later.instrument and followed.wave = later.wave and later.answer_number = 1
    inner join answers as earlier
        on
            followed.instrument = earlier.instrument
            and followed.previous_wave = earlier.wave
            and later.respondent = earlier.respondent
            and earlier.answer_number = 1
    group by followed.instrument, followed.wave
),

waiting as (
    select
        wave,
        count(*) as count_awaited
    from {{ ref('fct_survey_invitations') }}
    where is_awaiting_answer and survey = 'relationship'
    group by wave
),

compared as (
    select
        followed.*,
        coalesce(pairs.count_pairs, 0) as count_pairs,
        pairs.paired_change,
        pairs.paired_error,
        followed.adjusted_points - followed.previous_adjusted_points as independent_change,
        sqrt(followed.squared_error + followed.previous_squared_error) as independent_error,
        case
            when pairs.count_pairs >= {{ var('minimum_base') }} and pairs.paired_error > 0 then 'paired'
            else 'independent'
        end as method,
        case
            when followed.instrument = 'nps_transactional'
                then followed.wave < {{ quarter_name(dbt.dateadd('day', 1, as_of_date())) }}
            else waiting.wave is null
        end as is_mature
    from followed
    left join pairs on followed.instrument = pairs.instrument and followed.wave = pairs.wave
    left join waiting on followed.wave = waiting.wave
    where followed.previous_wave is not null
),

judged as (
    select
        *,
        case when method = 'paired' then paired_change else independent_change end as tested_change,
        case when method = 'paired' then paired_error else independent_error end as tested_error
    from compared
)

select
    instrument,
    wave,
    previous_wave,
    wave_start,
    points,
    previous_points,
    count_answers,
    previous_count_answers,
    points - previous_points as change,
    count_pairs,
    paired_change,
    method,
    tested_change,
    tested_change - 1.959963984540054 * tested_error as ci_low,
    tested_change + 1.959963984540054 * tested_error as ci_high,
    tested_change / nullif(tested_error, 0) as z_value,
    coalesce(abs(tested_change) > 1.959963984540054 * tested_error, false) as is_significant,
    least(count_answers, previous_count_answers) >= {{ var('minimum_base') }} as has_minimum_base,
    is_mature
from judged
