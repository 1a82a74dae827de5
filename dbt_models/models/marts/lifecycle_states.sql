-- Grain: one row per customer as of the night: where in the life cycle, and what that rests on.
select
    customers.customer_key,
    coalesce(standings.lifecycle_state, 'prospect') as lifecycle_state,
    states.stage as lifecycle_stage,
    standings.last_order_date,
    standings.days_since_last_order,
    standings.expected_gap_days,
    {{ ratio('standings.days_since_last_order', 'standings.expected_gap_days') }} as silence_in_expected_gaps,
    standings.count_occasions_in_window,
    coalesce(standings.count_lapses, 0) as count_lapses,
    coalesce(standings.is_loyal, false) as is_loyal
from {{ ref('dim_customers') }} as customers
left join {{ ref('int_customer_standings') }} as standings
    on customers.customer_key = standings.customer_key and standings.standing = 'as_of'
left join {{ ref('lifecycle_state_map') }} as states
    on coalesce(standings.lifecycle_state, 'prospect') = states.lifecycle_state
