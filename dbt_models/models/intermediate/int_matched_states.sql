-- Grain: one row per comparison, kind of event and state: whoever it happened to, and others of the stratum to whom it
-- had not by then. Strata with an event and at least two to compare with, of whom a bounded number is drawn.
with first_events as (
    select
        comparison,
        customer_key,
        min(event_date) as first_event_date
    from {{ ref('int_compared_events') }}
    group by comparison, customer_key
),

event_strata as (
    select
        comparison,
        stratum,
        count(*) as count_events
    from {{ ref('int_compared_states') }}
    where comparison is not null
    group by comparison, stratum
),

others as (
    select
        states.state_key,
        states.stratum,
        event_strata.comparison,
        event_strata.count_events,
        row_number() over (
            partition by event_strata.comparison, states.stratum order by states.draw asc, states.state_key asc
        ) as place,
        count(*) over (partition by event_strata.comparison, states.stratum) as count_others
    from {{ ref('int_compared_states') }} as states
    inner join event_strata on states.stratum = event_strata.stratum
    left join first_events
        on event_strata.comparison = first_events.comparison and states.customer_key = first_events.customer_key
    where
        states.comparison is null
        and (first_events.first_event_date is null or first_events.first_event_date > states.state_date)
),

chosen as (
    select
        comparison,
        stratum,
        state_key
    from others
    where count_others >= 2 and place <= greatest(2, {{ comparisons_per_event() }} * count_events)
),

chosen_strata as (
    select distinct
        comparison,
        stratum
    from chosen
),

exposures as (
    select distinct
        comparison,
        exposure,
        stratum
    from {{ ref('int_compared_states') }}
    where comparison is not null
),

matched as (
    select
        states.comparison,
        states.exposure,
        states.state_key,
        true as is_exposed
    from {{ ref('int_compared_states') }} as states
    inner join chosen_strata
        on states.comparison = chosen_strata.comparison and states.stratum = chosen_strata.stratum
    union all
    select
        chosen.comparison,
        exposures.exposure,
        chosen.state_key,
        false as is_exposed
    from chosen
    inner join exposures
        on chosen.comparison = exposures.comparison and chosen.stratum = exposures.stratum
)

select
    matched.comparison,
    matched.exposure,
    matched.state_key,
    matched.is_exposed,
    states.customer_key,
    states.state_date,
    states.month_start,
    states.stratum,
    states.days_since_last_order,
    states.count_occasions_before,
    states.total_net_before,
    states.tenure_days
from matched
inner join {{ ref('int_compared_states') }} as states on matched.state_key = states.state_key
