-- Grain: one row per subscription as of the night. Paused is not over; what the source has neither renewed nor ended
-- by the grace after its last paid period is.
with events as (
    select
        events.*,
        {{ key_of('events.source_name', 'events.subscription_id') }} as subscription_key,
        {{ business_date('events.happened_at') }} as event_date,
        {{ in_reporting_currency('events.amount', exchange_rate_of('events.currency_code', 'rates')) }} as paid_amount
    from ({{ united('subscription_events') }}) as events
    left join {{ ref('int_exchange_rates_filled') }} as rates
        on
            events.currency_code = rates.currency_code
            and {{ business_date('events.happened_at') }} = rates.valid_date
),

summed as (
    select
        subscription_key,
        max(source_name) as source_name,
        max(subscription_id) as subscription_id,
        max_by(customer_id, event_number) as customer_id,
        max_by(plan_name, event_number) as plan_name,
        min(happened_at) as started_at,
        min(event_date) as start_date,
        min(period_end_date) as first_period_end_date,
        max(period_end_date) as paid_until_date,
        max(event_date) filter (where event_kind = 'cancelled') as last_cancel_date,
        max(event_date) filter (where event_kind = 'ended') as end_date,
        count(*) filter (where event_kind = 'renewed') as count_renewals,
        count(*) filter (where event_kind = 'renewed' and is_auto) as count_auto_renewals,
        count(*) filter (where event_kind = 'paused') as count_pauses,
        count(*) filter (where event_kind = 'payment_failed') as count_failed_payments,
        coalesce(sum(paid_amount), 0) as total_paid,
        {%- for kind in ['paused', 'resumed', 'payment_failed', 'cancelled', 'ended'] %}
        coalesce(max(event_number) filter (where event_kind = '{{ kind }}'), 0) as {{ kind }}_number,
        {%- endfor %}
        coalesce(max(event_number) filter (where event_kind in ('started', 'renewed')), 0) as paid_number
    from events
    group by subscription_key
),

judged as (
    select
        *,
        case
            when ended_number > paid_number then 'ended'
            when paused_number > greatest(paid_number, resumed_number) then 'paused'
            when {{ dbt.datediff('paid_until_date', as_of_date(), 'day') }} > {{ var('subscription_grace_days') }}
                then 'ended'
            when payment_failed_number > paid_number then 'past_due'
            when cancelled_number > paid_number then 'cancelled'
            when paid_until_date <= {{ as_of_date() }} then 'overdue'
            else 'active'
        end as subscription_status
    from summed
),

ended as (
    select
        judged.*,
        customers.customer_key,
        case when judged.cancelled_number > judged.paid_number then judged.last_cancel_date end as cancel_date,
        case
            when judged.subscription_status = 'ended' and judged.ended_number > judged.paid_number then judged.end_date
            when judged.subscription_status = 'ended' then judged.paid_until_date
        end as ended_date,
        case
            when judged.subscription_status <> 'ended' then null
            when judged.payment_failed_number > judged.paid_number then 'payment_failed'
            when judged.cancelled_number > judged.paid_number then 'cancelled'
            else 'not_renewed'
        end as end_reason
    from judged
    left join {{ ref('int_customers_united') }} as customers
        on judged.source_name = customers.source_name and judged.customer_id = customers.customer_id
),

placed as (
    select
        *,
        row_number() over of_customer as subscription_number,
        lead(start_date) over of_customer as next_start_date,
        max(ended_date) over (
            partition by customer_key
            order by started_at asc, subscription_key asc
            rows between unbounded preceding and 1 preceding
        ) as last_ended_date
    from ended
    window of_customer as (partition by customer_key order by started_at asc, subscription_key asc)
)

select
    subscription_key,
    source_name,
    subscription_id,
    customer_key,
    subscription_number,
    plan_name,
    started_at,
    start_date,
    first_period_end_date,
    paid_until_date,
    subscription_status,
    cancel_date,
    ended_date,
    end_reason,
    case
        when
            {{ dbt.datediff('ended_date', as_of_date(), 'day') }} >= {{ var('subscription_grace_days') }}
            and not coalesce(
                {{ dbt.datediff('ended_date', 'next_start_date', 'day') }} <= {{ var('subscription_grace_days') }},
                false
            )
            then cast({{ dbt.dateadd('day', var('subscription_grace_days'), 'ended_date') }} as date)
    end as churn_date,
    count_renewals,
    count_auto_renewals,
    count_pauses,
    count_failed_payments,
    '{{ var("currency") }}' as currency_code,
    {{ as_money('total_paid') }} as total_paid,
    coalesce(first_period_end_date <= {{ as_of_date() }}, false) as is_due,
    coalesce(last_ended_date <= start_date, false) as is_resubscription,
    coalesce(end_reason = 'payment_failed', false) as is_involuntary
from placed
