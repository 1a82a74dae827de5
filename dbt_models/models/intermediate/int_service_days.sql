-- Grain: one row per business day from that of the first request for help to the as-of day: how long the service is
-- open before it and on it.
with days as (
    {{ days_from_to(
        "(select min(opened_date) from " ~ ref('int_support_contacts_united') ~ ")", as_of_date()
    ) }}
),

opened as (
    select
        day_date,
        case when {{ is_service_day('day_date') }} then {{ service_seconds_a_day() }} else 0 end as open_seconds
    from days
)

select
    day_date as service_date,
    cast(open_seconds as bigint) as open_seconds,
    cast(coalesce(sum(open_seconds) over (
        order by day_date asc rows between unbounded preceding and 1 preceding
    ), 0) as bigint) as open_seconds_before
from opened
