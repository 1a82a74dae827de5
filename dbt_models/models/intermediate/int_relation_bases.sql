-- Grain: one row per period, segment and base: referrals, messages, subscriptions, points and members, as counts.
{%- set groups = {
    'referrals': referral_bases(),
    'messages': message_bases(),
    'subscriptions': subscription_bases(),
    'subscribers': subscriber_bases(),
    'points': points_bases(),
    'members': member_bases(),
} %}

with periods as (
    select * from {{ ref('int_metric_periods') }}
    where period_type <> 'day'
),

lifetime as (
    select * from periods
    where period_type = 'lifetime'
),

referrals as (
    select
        periods.period_type,
        periods.period_start,
        sent.is_converted
    from {{ ref('fct_referrals') }} as sent
    inner join periods on sent.invite_date >= periods.period_start and sent.invite_date < periods.period_end
    where not sent.is_self_referral
),

messages as (
    select
        periods.period_type,
        periods.period_start,
        sent.is_personal,
        sent.is_delivered,
        sent.has_responded
    from {{ ref('fct_campaign_messages') }} as sent
    inner join periods on sent.sent_date >= periods.period_start and sent.sent_date < periods.period_end
    where sent.is_response_window_closed
),

subscriptions as (
    select
        periods.period_type,
        periods.period_start,
        periods.period_end,
        begun.churn_date,
        begun.is_involuntary
    from {{ ref('fct_subscriptions') }} as begun
    inner join periods
        on
            begun.start_date < periods.period_start
            and (begun.churn_date is null or begun.churn_date >= periods.period_start)
),

subscribers as (
    select
        lifetime.period_type,
        lifetime.period_start,
        customers.customer_key,
        count(begun.subscription_key) > 0 as is_subscriber,
        coalesce(bool_or(begun.is_due), false) as is_due,
        coalesce(bool_or(begun.count_renewals > 0 or begun.is_resubscription), false) as has_repurchased,
        coalesce(bool_or(begun.ended_date is not null), false) as has_ended,
        coalesce(bool_or(begun.is_resubscription), false) as has_returned
    from {{ ref('dim_customers') }} as customers
    cross join lifetime
    left join {{ ref('fct_subscriptions') }} as begun on customers.customer_key = begun.customer_key
    group by lifetime.period_type, lifetime.period_start, customers.customer_key
),

-- gifts of one day end together, on the day after the last on which they can be spent
ended_points as (
    select
        customer_key,
        cast({{ dbt.dateadd('day', 1, 'expiry_date') }} as date) as end_date,
        points as points_ended,
        0 as points_expired
    from {{ ref('fct_points_ledger') }}
    where is_gift and expiry_date < {{ as_of_date() }}
    union all
    select
        customer_key,
        effective_date as end_date,
        0 as points_ended,
        -points as points_expired
    from {{ ref('fct_points_ledger') }}
    where event_kind = 'expire'
),

points as (
    select
        periods.period_type,
        periods.period_start,
        ended_points.customer_key,
        sum(ended_points.points_ended) as points_ended,
        sum(ended_points.points_expired) as points_expired
    from ended_points
    inner join periods
        on ended_points.end_date >= periods.period_start and ended_points.end_date < periods.period_end
    group by periods.period_type, periods.period_start, ended_points.customer_key
),

holders as (
    select distinct customer_key
    from {{ ref('fct_badges') }}
),

members as (
    select
        lifetime.period_type,
        lifetime.period_start,
        ledger.customer_key,
        coalesce(
            {{ dbt.datediff(
                "max(case when ledger.event_kind in ('earn', 'redeem') then ledger.effective_date end)",
                as_of_date(), 'day'
            ) }} < {{ var('member_active_days') }},
            false
        ) as is_active_member,
        bool_or(holders.customer_key is not null) as holds_badge
    from {{ ref('fct_points_ledger') }} as ledger
    cross join lifetime
    left join holders on ledger.customer_key = holders.customer_key
    group by lifetime.period_type, lifetime.period_start, ledger.customer_key
)

{%- for group, bases in groups.items() %},

{{ group }}_sums as (
    {{ bases_by_segment(group, [], bases) }}  -- noqa: PRS
)
{%- endfor %}

{%- for group, bases in groups.items() %}
{{ bases_in_rows(group ~ '_sums', bases) }}
{{ 'union all' if not loop.last }}
{%- endfor %}
