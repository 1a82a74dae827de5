-- Grain: one row per event of the points ledger; a balance is the sum of a customer's rows and never a stored counter.
with events as (
    select
        events.*,
        customers.customer_key,
        {{ key_of('events.source_name', 'events.event_id') }} as point_event_key,
        {{ nullable_key_of('events.source_name', 'events.order_id') }} as order_key,
        {{ business_date('events.effective_at') }} as effective_date,
        {{ business_date('events.recorded_at') }} as recorded_date
    from ({{ united('point_events') }}) as events
    left join {{ ref('int_customers_united') }} as customers
        on events.source_name = customers.source_name and events.customer_id = customers.customer_id
)

select
    point_event_key,
    source_name,
    event_id,
    event_number,
    customer_key,
    event_kind,
    points,
    order_key,
    effective_at,
    effective_date,
    recorded_at,
    expiry_date,
    cast(
        sum(points) over (
            partition by customer_key
            order by effective_at asc, event_number asc, point_event_key asc
            rows between unbounded preceding and current row
        ) as bigint
    ) as points_balance,
    event_kind in ('earn', 'bonus', 'reimburse') or (event_kind = 'adjust' and points > 0) as is_gift,
    coalesce(recorded_date > effective_date, false) as is_backdated
from events
