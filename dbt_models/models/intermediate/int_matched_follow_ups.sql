-- Grain: one row per matched state of a comparison and kind of event, and horizon that is over: what came after it, and
-- in as many days before.
with occasions as (
    {{ occasions_adding_up() }}
),

horizons as (
    {{ horizons_in_rows() }}
),

-- a state that stands in several comparisons is followed once
followed as (
    select
        states.state_key,
        states.customer_key,
        states.state_date,
        horizons.horizon_days,
        cast({{ dbt.dateadd('day', 'horizons.horizon_days', 'states.state_date') }} as date) as end_date,
        cast({{ dbt.dateadd('day', '-1 * horizons.horizon_days', 'states.state_date') }} as date) as earlier_date
    from (
        select distinct
            state_key,
            customer_key,
            state_date,
            month_start
        from {{ ref('int_matched_states') }}
    ) as states
    cross join horizons
    where {{ is_followed('states.month_start', 'horizons.horizon_days') }}
),

referrals as (
    select
        followed.state_key,
        followed.horizon_days,
        count(*) as count_referrals_after
    from followed
    inner join {{ ref('fct_referrals') }} as sent
        on
            followed.customer_key = sent.referrer_customer_key
            and followed.state_date < sent.invite_date
            and followed.end_date >= sent.invite_date
    where not sent.is_self_referral
    group by followed.state_key, followed.horizon_days
),

joined as (
    select
        customer_key,
        event_date as join_date
    from {{ ref('int_compared_events') }}
    where comparison = 'membership'
),

counted as (
    select
        followed.state_key,
        followed.horizon_days,
        later.occasion_number - present.occasion_number as count_occasions_after,
        later.total_net_up_to - present.total_net_up_to as total_net_after,
        present.occasion_number - coalesce(earlier.occasion_number, 0) as count_occasions_earlier,
        present.total_net_up_to - coalesce(earlier.total_net_up_to, 0) as total_net_earlier,
        {{ dbt.datediff('later.order_date', 'followed.end_date', 'day') }}
        > {{ var('lapsed_gap_multiple') }} * later.expected_gap_days as is_lapsed_after,
        coalesce(referrals.count_referrals_after, 0) as count_referrals_after,
        case
            when joined.join_date < followed.end_date
                then {{ dbt.datediff(
                    'greatest(joined.join_date, followed.state_date)', 'followed.end_date', 'day'
                ) }}
            else 0
        end as count_member_days_after
    from followed
    inner join occasions as present
        on {{ is_last_occasion_by('present', 'followed', 'followed.state_date') }}
    inner join occasions as later
        on {{ is_last_occasion_by('later', 'followed', 'followed.end_date') }}
    left join occasions as earlier
        on {{ is_last_occasion_by('earlier', 'followed', 'followed.earlier_date') }}
    left join joined on followed.customer_key = joined.customer_key
    left join referrals
        on followed.state_key = referrals.state_key and followed.horizon_days = referrals.horizon_days
)

select
    states.comparison,
    states.exposure,
    states.state_key,
    states.is_exposed,
    states.customer_key,
    states.stratum,
    states.days_since_last_order,
    states.count_occasions_before,
    states.total_net_before,
    states.tenure_days,
    counted.horizon_days,
    counted.count_occasions_after,
    {{ as_money('counted.total_net_after') }} as total_net_after,
    counted.count_referrals_after,
    counted.is_lapsed_after,
    counted.count_member_days_after,
    counted.count_occasions_earlier,
    {{ as_money('counted.total_net_earlier') }} as total_net_earlier
from {{ ref('int_matched_states') }} as states
inner join counted on states.state_key = counted.state_key
