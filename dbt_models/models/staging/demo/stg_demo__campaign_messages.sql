-- Grain: one row per campaign message, sent or held out, with what had become of it by the as-of.
{{ config(materialized='staged') }}

{%- set opened_at = local_to_utc(moment('raw.opened_at')) %}
{%- set clicked_at = local_to_utc(moment('raw.clicked_at')) %}

with judged as (
    select
        {{ text('raw.message_id') }} as message_id,
        {{ text('raw.campaign_id') }} as campaign_id,
        {{ text('raw.customer_id') }} as customer_id,
        lower({{ text('raw.arm') }}) = 'holdout' as is_holdout,
        coalesce(try_cast(raw.is_personal as boolean), false) as is_personal,
        {{ text('raw.channel') }} as channel,
        {{ local_to_utc(moment('raw.sent_at')) }} as sent_at,
        lower({{ text('raw.status') }}) as delivery_status,
        {{ if_known(opened_at, opened_at) }} as opened_at,
        {{ if_known(clicked_at, clicked_at) }} as clicked_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('message_id'),
            rule_missing('campaign_id'),
            rule_missing('customer_id'),
            rule_missing('arm'),
            rule_not_one_of('arm', ['treated', 'holdout']),
            rule_missing('sent_at'),
            rule_not_a_moment('sent_at'),
            rule_missing('status'),
            rule_not_one_of('status', ['delivered', 'bounced', 'held_out']),
            rule_not_a_moment('opened_at'),
            rule_not_a_moment('clicked_at')
        ]) }} as refusals
    from {{ source('raw', 'demo__campaign_messages') }} as raw
)

{{ judged_rows('judged', key=['message_id'], happened_at='sent_at') }}
