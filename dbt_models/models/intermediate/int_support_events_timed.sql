-- Grain: one row per thing that happened to an accepted request for help, with the seconds that the service had been
-- open by then; the difference of two such counts is a wait in business hours.
with events as (
    select
        {{ key_of('source_name', 'contact_id') }} as contact_key,
        event_number,
        event_kind,
        happened_at,
        {{ business_date('happened_at') }} as happened_date
    from ({{ united('support_events') }}) as united
    union all
    select
        contact_key,
        0 as event_number,
        'contact' as event_kind,
        opened_at as happened_at,
        opened_date as happened_date
    from {{ ref('int_support_contacts_united') }}
)

select
    events.contact_key,
    cast(events.event_number as bigint) as event_number,
    events.event_kind,
    events.happened_at,
    cast({{ seconds_open_at('service_days', utc_to_local('events.happened_at')) }} as bigint) as open_seconds_until
from events
left join {{ ref('int_service_days') }} as service_days on events.happened_date = service_days.service_date
