-- Grain: one row per period that metrics are told for: complete months and quarters, the trailing window, the lifetime.
-- A trailing window is mature once the shop is older than it.
with bounds as (
    select
        min(order_date) as first_date,
        {{ as_of_date() }} as last_date,
        cast({{ dbt.dateadd('day', 1, as_of_date()) }} as date) as next_date
    from {{ ref('int_customer_occasions') }}
),

months as (
    {{ months_from_to("(select first_date from bounds)", as_of_date()) }}
),

calendar as (
    select
        'month' as period_type,
        month_start as period_start,
        cast({{ dbt.dateadd('month', 1, 'month_start') }} as date) as period_end,
        cast({{ dbt.dateadd('month', -1, 'month_start') }} as date) as previous_start
    from months
    union all
    select distinct
        'quarter' as period_type,
        cast(date_trunc('quarter', month_start) as date) as period_start,
        cast({{ dbt.dateadd('month', 3, "cast(date_trunc('quarter', month_start) as date)") }} as date) as period_end,
        cast({{ dbt.dateadd('month', -3, "cast(date_trunc('quarter', month_start) as date)") }} as date)
            as previous_start
    from months
)

select
    calendar.period_type,
    calendar.period_start,
    calendar.period_end,
    calendar.previous_start,
    true as is_mature
from calendar
cross join bounds
where calendar.period_end <= bounds.next_date
union all
select
    'trailing_window' as period_type,
    cast({{ dbt.dateadd('day', 1, active_window_starts_after()) }} as date) as period_start,
    next_date as period_end,
    cast(null as date) as previous_start,
    first_date <= cast({{ dbt.dateadd('day', 1, active_window_starts_after()) }} as date) as is_mature
from bounds
where first_date is not null
union all
select
    'lifetime' as period_type,
    first_date as period_start,
    next_date as period_end,
    cast(null as date) as previous_start,
    true as is_mature
from bounds
where first_date is not null
