-- Grain: one row per invitation by a customer.
with referrals as (
    select
        referrals.*,
        referrers.customer_key as referrer_customer_key,
        referred.customer_key as referred_customer_key,
        {{ business_date('referrals.invited_at') }} as invite_date,
        {{ business_date('referrals.converted_at') }} as conversion_date,
        referrers.customer_key = referred.customer_key as is_self_referral
    from ({{ united('referrals') }}) as referrals
    left join {{ ref('int_customers_united') }} as referrers
        on
            referrals.source_name = referrers.source_name
            and referrals.referrer_customer_id = referrers.customer_id
    left join {{ ref('int_customers_united') }} as referred
        on
            referrals.source_name = referred.source_name
            and referrals.referred_customer_id = referred.customer_id
),

last_orders as (
    select
        customer_key,
        max(order_date) as last_order_date
    from {{ ref('int_customer_occasions') }}
    group by customer_key
)

select
    {{ key_of('referrals.source_name', 'referrals.referral_id') }} as referral_key,
    referrals.source_name,
    referrals.referral_id,
    referrals.referrer_customer_key,
    referrals.referred_customer_key,
    {{ nullable_key_of('referrals.source_name', 'referrals.order_id') }} as order_key,
    referrals.channel,
    referrals.invited_at,
    referrals.invite_date,
    referrals.converted_at,
    referrals.conversion_date,
    referrals.currency_code as original_currency_code,
    referrals.reward_amount as original_reward_amount,
    {{ in_reporting_currency('referrals.reward_amount', exchange_rate_of('referrals.currency_code', 'rates')) }}
        as reward_amount,
    case
        when referrals.converted_at is null then 'not_due'
        when referrals.reward_amount > 0 then 'rewarded'
        else 'unrewarded'
    end as reward_status,
    coalesce(referrals.is_self_referral, false) as is_self_referral,
    coalesce(
        not referrals.is_self_referral and last_orders.last_order_date >= referrals.invite_date, false
    ) as is_converted
from referrals
left join last_orders on referrals.referred_customer_key = last_orders.customer_key
left join {{ ref('int_exchange_rates_filled') }} as rates
    on referrals.currency_code = rates.currency_code and referrals.conversion_date = rates.valid_date
