-- Grain: one row per period that metrics are told for: complete days, months and quarters, the trailing window, the
-- lifetime. A trailing window is mature once the shop is older than it.
with bounds as (
    select
        min(order_date) as first_date,
        cast({{ dbt.dateadd('day', 1, active_window_starts_after()) }} as date) as window_start,
        cast({{ dbt.dateadd('day', 1 - 2 * var('active_window_days'), as_of_date()) }} as date)
            as previous_window_start,
        cast({{ dbt.dateadd('day', 1, as_of_date()) }} as date) as next_date
    from {{ ref('int_customer_occasions') }}
    having min(order_date) is not null
),

days as (
    {{ days_from_to("(select first_date from bounds)", as_of_date()) }}
),

calendar as (
    select
        'day' as period_type,
        day_date as period_start,
        cast({{ dbt.dateadd('day', 1, 'day_date') }} as date) as period_end,
        cast({{ dbt.dateadd('day', -1, 'day_date') }} as date) as previous_start
    from days
    {%- for period_type, months in {'month': 1, 'quarter': 3}.items() %}
    {%- set period_start = "cast(date_trunc('" ~ period_type ~ "', day_date) as date)" %}
    union all
    select distinct
        '{{ period_type }}' as period_type,
        {{ period_start }} as period_start,
        cast({{ dbt.dateadd('month', months, period_start) }} as date) as period_end,
        cast({{ dbt.dateadd('month', -months, period_start) }} as date) as previous_start
    from days
    {%- endfor %}
)

select
    calendar.period_type,
    calendar.period_start,
    calendar.period_end,
    calendar.previous_start,
    true as is_mature,
    calendar.previous_start >= cast(date_trunc(
        'month', bounds.first_date
    ) as date) as is_previous_mature
from calendar
cross join bounds
where calendar.period_end <= bounds.next_date
union all
select
    'trailing_window' as period_type,
    window_start as period_start,
    next_date as period_end,
    previous_window_start as previous_start,
    first_date <= window_start as is_mature,
    first_date <= previous_window_start as is_previous_mature
from bounds
union all
select
    'lifetime' as period_type,
    first_date as period_start,
    next_date as period_end,
    cast(null as date) as previous_start,
    true as is_mature,
    false as is_previous_mature
from bounds
