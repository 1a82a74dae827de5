-- Grain: one row per event of a subscription.
{{ config(
    materialized='staged',
    meta={'reconciled_amount': {'raw': number('raw.amount'), 'staged': 'amount'}}
) }}

with judged as (
    select
        {{ text('raw.subscription_id') }} as subscription_id,
        {{ whole_number('raw.event_number') }} as event_number,
        {{ text('raw.customer_id') }} as customer_id,
        {{ text('raw.plan') }} as plan_name,
        lower({{ text('raw.event') }}) as event_kind,
        {{ local_to_utc(moment('raw.happened_at')) }} as happened_at,
        {{ calendar_day('raw.period_end') }} as period_end_date,
        {{ number('raw.amount') }} as amount,
        'EUR' as currency_code,
        coalesce(try_cast(raw.is_auto as boolean), false) as is_auto,
        {{ text('raw.reason') }} as reason,
        {{ provenance() }},
        {{ refusals([
            rule_missing('subscription_id'),
            rule_missing('event_number'),
            rule_not_a_whole_number('event_number'),
            rule_missing('customer_id'),
            rule_missing('event'),
            rule_not_one_of(
                'event', ['started', 'renewed', 'paused', 'resumed', 'payment_failed', 'cancelled', 'ended']
            ),
            rule_missing('happened_at'),
            rule_not_a_moment('happened_at'),
            rule_not_a_day('period_end'),
            rule_not_a_number('amount')
        ]) }} as refusals
    from {{ source('raw', 'demo__subscription_events') }} as raw
)

{{ judged_rows('judged', key=['subscription_id', 'event_number'], happened_at='happened_at') }}
