-- Grain: one row per event of the points ledger.
{{ config(
    materialized='staged',
    meta={'reconciled_amount': {'raw': whole_amount('raw.points'), 'staged': 'points'}}
) }}

{%- set gives = ['earn', 'bonus', 'reimburse', 'transfer_in'] %}
{%- set takes = ['redeem', 'expire', 'reverse_earn', 'transfer_out'] %}
{%- set event_kind = 'lower(' ~ text('raw.event') ~ ')' %}
{%- set points = whole_amount('raw.points') %}

with judged as (
    select
        {{ text('raw.event_id') }} as event_id,
        {{ whole_number('raw.event_number') }} as event_number,
        {{ text('raw.customer_id') }} as customer_id,
        {{ event_kind }} as event_kind,
        {{ points }} as points,
        {{ text('raw.order_id') }} as order_id,
        {{ local_to_utc(moment('raw.effective_at')) }} as effective_at,
        {{ local_to_utc(moment('raw.recorded_at')) }} as recorded_at,
        {{ calendar_day('raw.expires_on') }} as expiry_date,
        -- an event counts from when it took place, and is known from when it was written down
        greatest(
            {{ local_to_utc(moment('raw.effective_at')) }}, {{ local_to_utc(moment('raw.recorded_at')) }}
        ) as known_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('event_id'),
            rule_missing('event_number'),
            rule_not_a_whole_number('event_number'),
            rule_missing('customer_id'),
            rule_missing('event'),
            rule_not_one_of('event', gives + takes + ['adjust']),
            rule_missing('points'),
            rule_not_a_whole_amount('points'),
            ['`points` has the sign of another event',
                "(" ~ points ~ " < 0 and " ~ event_kind ~ " in ('" ~ gives | join("', '") ~ "')) or ("
                ~ points ~ " > 0 and " ~ event_kind ~ " in ('" ~ takes | join("', '") ~ "'))"],
            rule_missing('effective_at'),
            rule_not_a_moment('effective_at'),
            rule_not_a_moment('recorded_at'),
            rule_not_a_day('expires_on')
        ]) }} as refusals
    from {{ source('raw', 'demo__points_ledger') }} as raw
)

{{ judged_rows('judged', key=['event_id'], happened_at='known_at') }}
