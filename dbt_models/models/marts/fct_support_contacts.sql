-- Grain: one row per request for help or complaint, as it stands on the as-of day.
{%- set clock = 'open_seconds' if var('is_service_level_in_business_hours') else 'calendar_seconds' %}
with first_steps as (
    select
        contact_key,
        min(open_seconds_until) filter (where event_kind = 'contact') as open_seconds_at_opening,
        min(happened_at) filter (where event_kind = 'agent_reply') as first_replied_at,
        min(open_seconds_until) filter (where event_kind = 'agent_reply') as open_seconds_at_reply,
        min(happened_at) filter (where event_kind = 'resolved') as first_resolved_at,
        min(open_seconds_until) filter (where event_kind = 'resolved') as open_seconds_at_resolution,
        min(happened_at) filter (where event_kind = 'reopened') as first_reopened_at,
        max(event_number) filter (where event_kind = 'resolved') as last_resolution_number,
        max(event_number) filter (where event_kind = 'reopened') as last_reopening_number,
        min(event_number) filter (where event_kind = 'resolved') as first_resolution_number,
        count(*) filter (where event_kind = 'agent_reply') as count_agent_replies,
        count(*) filter (where event_kind = 'auto_reply') as count_auto_replies,
        count(*) filter (where event_kind = 'reopened') as count_reopenings
    from {{ ref('int_support_events_timed') }}
    group by contact_key
),

touches as (
    select
        events.contact_key,
        count(*) as count_touches_to_resolution
    from {{ ref('int_support_events_timed') }} as events
    inner join first_steps
        on
            events.contact_key = first_steps.contact_key
            and events.event_number < first_steps.first_resolution_number
    where events.event_kind = 'agent_reply'
    group by events.contact_key
),

waits as (
    select
        contacts.*,
        first_steps.first_replied_at,
        first_steps.first_resolved_at,
        first_steps.first_reopened_at,
        first_steps.count_agent_replies,
        first_steps.count_auto_replies,
        first_steps.count_reopenings,
        coalesce(touches.count_touches_to_resolution, 0) as count_touches_to_resolution,
        first_steps.last_resolution_number is not null
        and first_steps.last_resolution_number > coalesce(first_steps.last_reopening_number, 0) as is_resolved,
        coalesce(
            {{ dbt.datediff('first_steps.first_resolved_at', 'first_steps.first_reopened_at', 'second') }}
            <= {{ var('reopen_window_days') }} * 86400,
            false
        ) as is_reopened,
        coalesce(
            {{ dbt.datediff('first_steps.first_resolved_at', as_of_ends_at(), 'second') }}
            > {{ var('reopen_window_days') }} * 86400,
            false
        ) as is_reopen_window_closed,
        {{ dbt.datediff('contacts.opened_at', 'first_steps.first_replied_at', 'second') }} as calendar_seconds_to_reply,
        {{ dbt.datediff('contacts.opened_at', 'first_steps.first_resolved_at', 'second') }}
            as calendar_seconds_to_resolution,
        {{ dbt.datediff('contacts.opened_at', as_of_ends_at(), 'second') }} as calendar_seconds_waited,
        first_steps.open_seconds_at_reply - first_steps.open_seconds_at_opening as open_seconds_to_reply,
        first_steps.open_seconds_at_resolution - first_steps.open_seconds_at_opening as open_seconds_to_resolution,
        last_day.open_seconds_before + last_day.open_seconds - first_steps.open_seconds_at_opening
            as open_seconds_waited
    from {{ ref('int_support_contacts_united') }} as contacts
    inner join first_steps on contacts.contact_key = first_steps.contact_key
    left join touches on contacts.contact_key = touches.contact_key
    left join {{ ref('int_service_days') }} as last_day on last_day.service_date = {{ as_of_date() }}
),

judged as (
    select
        *,
        {{ service_level_state(clock ~ '_to_reply', clock ~ '_waited', var('first_reply_hours')) }}
            as first_reply_state,
        {{ service_level_state(clock ~ '_to_resolution', clock ~ '_waited', var('resolution_hours')) }}
            as resolution_state
    from waits
)

select
    judged.contact_key,
    judged.source_name,
    judged.contact_id,
    customers.customer_key,
    judged.order_key,
    judged.channel,
    judged.contact_kind,
    judged.topic,
    judged.severity,
    judged.language_code,
    judged.opened_at,
    judged.opened_date,
    judged.first_replied_at,
    judged.first_resolved_at,
    judged.first_reopened_at,
    {{ as_hours('judged.calendar_seconds_to_reply') }} as first_reply_calendar_hours,
    {{ as_hours('judged.open_seconds_to_reply') }} as first_reply_business_hours,
    {{ as_hours('judged.calendar_seconds_to_resolution') }} as resolution_calendar_hours,
    {{ as_hours('judged.open_seconds_to_resolution') }} as resolution_business_hours,
    {{ as_hours('judged.calendar_seconds_waited') }} as waited_calendar_hours,
    {{ as_hours('judged.open_seconds_waited') }} as waited_business_hours,
    judged.first_reply_state,
    judged.resolution_state,
    judged.count_agent_replies,
    judged.count_auto_replies,
    judged.count_reopenings,
    case when judged.first_resolved_at is not null then judged.csat_score end as csat_score,
    coalesce(judged.has_text, false) as has_text,
    judged.is_resolved,
    judged.is_reopened,
    judged.is_reopen_window_closed,
    judged.is_reopen_window_closed
    and judged.count_touches_to_resolution = 1
    and not judged.is_reopened as is_first_contact_resolution,
    judged.contact_kind = 'complaint' as is_complaint,
    coalesce(
        judged.contact_kind = 'complaint'
        or judged.is_reopened
        or judged.first_reply_state = 'late'
        or judged.resolution_state = 'late'
        or (judged.first_resolved_at is not null and judged.csat_score <= 2),
        false
    ) as is_bad_contact
from judged
left join {{ ref('int_customers_united') }} as customers
    on judged.source_name = customers.source_name and judged.customer_id = customers.customer_id
