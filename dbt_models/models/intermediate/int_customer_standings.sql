-- Grain: one row per customer and day of standing (the as-of, and the day before the trailing window began), for
-- customers with a valid order by then.
with dates as (
    select
        'as_of' as standing,
        {{ as_of_date() }} as standing_date
    union all
    select
        'window_start' as standing,
        cast({{ active_window_starts_after() }} as date) as standing_date
),

standings as (
    {{ standings_at('dates') }}
),

window_facts as (
    select
        dates.standing,
        occasions.customer_key,
        count(*) as count_occasions_in_window,
        sum(occasions.total_net) as total_net_in_window
    from {{ ref('int_customer_occasions') }} as occasions
    inner join dates
        on
            occasions.order_date <= dates.standing_date
            and {{ dbt.datediff('occasions.order_date', 'dates.standing_date', 'day') }}
            < {{ var('active_window_days') }}
    group by dates.standing, occasions.customer_key
),

scored as (
    select
        standings.*,
        coalesce(window_facts.count_occasions_in_window, 0) as count_occasions_in_window,
        {{ as_money('coalesce(window_facts.total_net_in_window, 0)') }} as total_net_in_window,
        {{ quintile_score('standings.days_since_last_order desc', 'standings.standing') }} as recency_score,
        {{ quintile_score('coalesce(window_facts.count_occasions_in_window, 0) asc', 'standings.standing') }}
            as frequency_score,
        {{ quintile_score('coalesce(window_facts.total_net_in_window, 0) asc', 'standings.standing') }}
            as monetary_score
    from standings
    left join window_facts
        on standings.standing = window_facts.standing and standings.customer_key = window_facts.customer_key
)

select
    scored.*,
    segment_map.segment as rfm_segment
from scored
left join {{ ref('rfm_segment_map') }} as segment_map
    on
        scored.recency_score = segment_map.recency_score
        and cast(floor((scored.frequency_score + scored.monetary_score) / 2.0 + 0.5) as integer)
        = segment_map.frequency_monetary_score
