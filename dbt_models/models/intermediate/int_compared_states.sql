-- Grain: one row per event of a customer with an order by then, and one per customer and month as somebody to compare
-- with, on a day drawn from the customer's key: what was known of the customer at the end of that day. Of a large shop
-- as many of either as macros/matching.sql says, drawn by their keys.
with occasions as (
    {{ occasions_adding_up() }}
),

months as (
    select distinct month_start
    from {{ ref('int_compared_events') }}
    where {{ is_followed('month_start', follow_up_horizons()[0]) }}
),

buyers as (
    select
        months.month_start,
        customers.customer_key
    from occasions as customers
    cross join months
    where
        customers.occasion_number = 1
        and customers.first_order_date < {{ dbt.dateadd('month', 1, 'months.month_start') }}
),

drawn as (
    select
        customer_key,
        month_start,
        {{ drawn_number("customer_key || ':' || cast(month_start as " ~ dbt.type_string() ~ ")") }} as draw
    from buyers
),

event_counts as (
    select
        events.comparison,
        events.exposure,
        count(*) as count_events
    from {{ ref('int_compared_events') }} as events
    inner join months on events.month_start = months.month_start
    group by events.comparison, events.exposure
),

days as (
    select
        events.event_key as state_key,
        events.comparison,
        events.exposure,
        events.customer_key,
        events.event_date as state_date,
        events.month_start,
        cast(0 as bigint) as draw
    from {{ ref('int_compared_events') }} as events
    inner join months on events.month_start = months.month_start
    inner join event_counts on events.comparison = event_counts.comparison and events.exposure = event_counts.exposure
    where {{ is_among_drawn(drawn_number('events.event_key'), most_events_followed(), 'event_counts.count_events') }}
    union all
    select
        customer_key || ':' || cast(month_start as {{ dbt.type_string() }}) as state_key,
        cast(null as {{ dbt.type_string() }}) as comparison,
        cast(null as {{ dbt.type_string() }}) as exposure,
        customer_key,
        cast({{ dbt.dateadd('day', 'draw % 28', 'month_start') }} as date) as state_date,
        month_start,
        draw
    from drawn
    where {{ is_among_drawn('draw', most_states_compared(), '(select count(*) from buyers)') }}
),

states as (
    select
        days.*,
        {{ dbt.datediff('latest.order_date', 'days.state_date', 'day') }} as days_since_last_order,
        latest.occasion_number - coalesce(earlier.occasion_number, 0) as count_occasions_before,
        latest.total_net_up_to - coalesce(earlier.total_net_up_to, 0) as total_net_before,
        {{ dbt.datediff('latest.first_order_date', 'days.state_date', 'day') }} as tenure_days
    from days
    inner join occasions as latest
        on {{ is_last_occasion_by('latest', 'days', 'days.state_date') }}
    left join occasions as earlier
        on {{ is_last_occasion_by(
            'earlier', 'days', dbt.dateadd('day', -1 * var('active_window_days'), 'days.state_date')
        ) }}
),

cuts as (
    select
        {%- for name, shares in matching_levels().items() %}
        {%- for share in shares %}
        percentile_disc({{ share }}) within group (order by {{ name }}) as {{ name }}_{{ loop.index }},
        {%- endfor %}
        {%- endfor %}
        month_start
    from states
    where comparison is null
    group by month_start
)

select
    states.state_key,
    states.comparison,
    states.exposure,
    states.customer_key,
    states.state_date,
    states.month_start,
    states.draw,
    states.days_since_last_order,
    states.count_occasions_before,
    {{ as_money('states.total_net_before') }} as total_net_before,
    states.tenure_days,
    {{ stratum_of('states', 'cuts') }} as stratum
from states
inner join cuts on states.month_start = cuts.month_start
