-- Grain: one row per complete month, state when it began and state when it ended. Customers of whom nothing was known
-- when it began come from the state not_yet; all states of a beginning share its count.
with moves as (
    select
        later.month_start,
        coalesce(earlier.lifecycle_state, 'not_yet') as state_before,
        later.lifecycle_state as state_after
    from {{ ref('int_lifecycle_months') }} as later
    left join {{ ref('int_lifecycle_months') }} as earlier
        on
            later.customer_key = earlier.customer_key
            and earlier.month_start = cast({{ dbt.dateadd('month', -1, 'later.month_start') }} as date)
),

counted as (
    select
        month_start,
        state_before,
        state_after,
        count(*) as count_customers
    from moves
    group by month_start, state_before, state_after
),

based as (
    select
        *,
        cast(sum(count_customers) over (partition by month_start, state_before) as bigint) as count_before
    from counted
)

select
    month_start,
    state_before,
    state_after,
    count_customers,
    count_before,
    {{ ratio('count_customers', 'count_before') }} as transition_share,
    {{ wilson_low('count_customers', 'count_before') }} as ci_low,
    {{ wilson_high('count_customers', 'count_before') }} as ci_high
from based
