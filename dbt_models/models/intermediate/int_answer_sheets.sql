-- Grain: one row per instrument and sheet of answers: what one invitation brought, or one answer that had none. The
-- items of an instrument stand together only where they were answered together.
with items as (
    select
        *,
        coalesce(invitation_key, feedback_key) as sheet_key,
        row_number() over (
            partition by coalesce(invitation_key, feedback_key), instrument, question
            order by submitted_at desc nulls last, feedback_key desc nulls last
        ) as answer_number
    from {{ ref('fct_feedback') }}
    where band is not null or score_0_100 is not null
),

sheets as (
    select
        sheet_key,
        instrument,
        max(customer_key) as customer_key,
        max(wave) as wave,
        max(channel) as survey_channel,
        max(language_code) as language,
        max(submitted_at) as submitted_at,
        max(feedback_date) as feedback_date,
        max(feedback_key) as feedback_key,
        count(*) as count_items,
        max(score) as score,
        max(band) as band,
        -- of decimals, whose sum is the same in any order
        avg(cast(score_0_100 as decimal(12, 6))) as score_0_100
    from items
    where answer_number = 1
    group by sheet_key, instrument
)

select
    sheet_key,
    instrument,
    customer_key,
    wave,
    coalesce(survey_channel, 'unknown') as survey_channel,
    coalesce(language, 'unknown') as language,
    submitted_at,
    feedback_date,
    feedback_key,
    count_items,
    case when count_items = 1 then score end as score,
    cast(score_0_100 as decimal(18, 6)) as score_0_100,
    case
        when instrument = 'cli' and score_0_100 >= {{ var('loyalty_index_above_average') }} then 'above_average'
        when instrument = 'cli' and score_0_100 >= {{ var('loyalty_index_average') }} then 'average'
        when instrument = 'cli' then 'below_average'
        when count_items = 1 then band
    end as band,
    case when band = 'promoter' then 1 when band = 'detractor' then -1 else 0 end as net_points
from sheets
where instrument <> 'cli' or count_items >= {{ var('loyalty_index_minimum_items') }}
