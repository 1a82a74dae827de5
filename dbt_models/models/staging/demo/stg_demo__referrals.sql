-- Grain: one row per invitation, as far as it had come by the as-of.
{{ config(materialized='staged') }}

{%- set converted_at = local_to_utc(moment('raw.converted_at')) %}

with judged as (
    select
        {{ text('raw.referral_id') }} as referral_id,
        {{ text('raw.referrer_customer_id') }} as referrer_customer_id,
        {{ if_known(text('raw.referred_customer_id'), converted_at) }} as referred_customer_id,
        {{ if_known(text('raw.order_id'), converted_at) }} as order_id,
        {{ text('raw.channel') }} as channel,
        {{ local_to_utc(moment('raw.invited_at')) }} as invited_at,
        {{ if_known(converted_at, converted_at) }} as converted_at,
        {{ if_known(number('raw.reward_amount'), converted_at) }} as reward_amount,
        'EUR' as currency_code,
        {{ local_to_utc(moment('raw.updated_at')) }} as updated_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('referral_id'),
            rule_missing('referrer_customer_id'),
            rule_missing('invited_at'),
            rule_not_a_moment('invited_at'),
            rule_not_a_moment('converted_at'),
            rule_not_a_number('reward_amount'),
            ['`converted_at` is missing of a referral with an order',
                text('raw.order_id') ~ ' is not null and ' ~ text('raw.converted_at') ~ ' is null']
        ]) }} as refusals
    from {{ source('raw', 'demo__referrals') }} as raw
)

{{ judged_rows('judged', key=['referral_id'], happened_at='invited_at', latest_by='updated_at') }}
