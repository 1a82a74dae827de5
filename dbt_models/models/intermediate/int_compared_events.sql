-- Grain: one row per comparison, kind of event, customer and day: what happened to customers that others are spared.
-- A placebo is a membership that is told half a year too early; an effect before its cause is none.
with contacts as (
    select
        customer_key,
        opened_date as event_date,
        row_number() over (partition by customer_key order by opened_at asc, contact_key asc) as contact_number
    from {{ ref('fct_support_contacts') }}
    where is_bad_contact and customer_key is not null
),

memberships as (
    select
        customer_key,
        min(event_date) as event_date
    from (
        select
            customer_key,
            effective_date as event_date
        from {{ ref('fct_points_ledger') }}
        union all
        select
            customer_key,
            change_date as event_date
        from {{ ref('fct_tier_changes') }}
    ) as traces
    where customer_key is not null
    group by customer_key
),

events as (
    select
        instrument as comparison,
        band as exposure,
        customer_key,
        feedback_date as event_date
    from {{ ref('int_answer_sheets') }}
    where
        customer_key is not null and band is not null and feedback_date is not null
        and instrument in ({{ "'" ~ compared_instruments() | join("', '") ~ "'" }})
    union all
    select
        'bad_contacts' as comparison,
        cast(contact_number as {{ dbt.type_string() }}) as exposure,
        customer_key,
        event_date
    from contacts
    where contact_number <= 3
    union all
    select
        'membership' as comparison,
        'joined' as exposure,
        customer_key,
        event_date
    from memberships
    union all
    select
        'membership_placebo' as comparison,
        'joined' as exposure,
        customer_key,
        cast({{ dbt.dateadd('day', -1 * placebo_days(), 'event_date') }} as date) as event_date
    from memberships
)

select distinct
    comparison || ':' || exposure || ':' || customer_key || ':' || cast(event_date as {{ dbt.type_string() }})
        as event_key,
    comparison,
    exposure,
    customer_key,
    event_date,
    cast(date_trunc('month', event_date) as date) as month_start
from events
