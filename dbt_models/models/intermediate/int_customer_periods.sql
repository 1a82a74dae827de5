-- Grain: one row per period and customer who bought in it or in the one before; every purchase rate can be recounted.
with periods as (
    select * from {{ ref('int_metric_periods') }}
    where period_type <> 'day'
),

bounds as (
    select
        max(period_start) filter (where period_type = 'trailing_window') as window_start,
        max(previous_start) filter (where period_type = 'trailing_window') as previous_window_start,
        max(period_start) filter (where period_type = 'lifetime') as lifetime_start
    from periods
),

period_types as (
    select distinct period_type from periods
),

customer_days as (
    select
        customer_key,
        order_date,
        occasion_number,
        count(*) as count_orders,
        count(*) filter (where is_full_price) as count_full_price_orders,
        sum(net_amount) as total_net
    from {{ ref('int_orders_segmented') }}
    where is_valid
    group by customer_key, order_date, occasion_number
),

attributed as (
    select
        period_types.period_type,
        {{ period_start_of('period_types.period_type', 'customer_days.order_date', 'bounds') }} as period_start,
        customer_days.customer_key,
        count(*) as count_occasions,
        sum(customer_days.count_orders) as count_orders,
        sum(customer_days.total_net) as total_net,
        coalesce(sum(customer_days.total_net) filter (where customer_days.occasion_number > 1), 0) as total_net_repeat,
        coalesce(sum(customer_days.count_orders) filter (where customer_days.occasion_number > 1), 0)
            as count_repeat_orders,
        coalesce(sum(customer_days.count_full_price_orders) filter (where customer_days.occasion_number > 1), 0)
            as count_full_price_repeat_orders
    from customer_days
    cross join period_types
    cross join bounds
    group by
        period_types.period_type,
        {{ period_start_of('period_types.period_type', 'customer_days.order_date', 'bounds') }},
        customer_days.customer_key
),

referrals as (
    select
        periods.period_type,
        periods.period_start,
        sent.referrer_customer_key as customer_key,
        count(*) as count_referrals,
        count(*) filter (where sent.is_converted) as count_converted_referrals,
        count(*) filter (where sent.reward_status = 'rewarded') as count_rewarded_referrals,
        count(*) filter (where sent.reward_status = 'unrewarded') as count_unrewarded_referrals
    from {{ ref('fct_referrals') }} as sent
    inner join periods on sent.invite_date >= periods.period_start and sent.invite_date < periods.period_end
    where not sent.is_self_referral
    group by periods.period_type, periods.period_start, sent.referrer_customer_key
),

earlier as (
    select
        periods.period_type,
        periods.period_start,
        attributed.customer_key,
        attributed.count_occasions,
        attributed.total_net
    from attributed
    inner join periods
        on attributed.period_type = periods.period_type and attributed.period_start = periods.previous_start
),

paired as (
    select
        coalesce(attributed.period_type, earlier.period_type) as period_type,
        coalesce(attributed.period_start, earlier.period_start) as period_start,
        coalesce(attributed.customer_key, earlier.customer_key) as customer_key,
        coalesce(attributed.count_occasions, 0) as count_occasions,
        coalesce(attributed.count_orders, 0) as count_orders,
        coalesce(attributed.total_net, 0) as total_net,
        coalesce(attributed.total_net_repeat, 0) as total_net_repeat,
        coalesce(attributed.count_repeat_orders, 0) as count_repeat_orders,
        coalesce(attributed.count_full_price_repeat_orders, 0) as count_full_price_repeat_orders,
        coalesce(earlier.count_occasions, 0) as count_occasions_before,
        coalesce(earlier.total_net, 0) as total_net_before
    from attributed
    full outer join earlier
        on
            attributed.period_type = earlier.period_type
            and attributed.period_start = earlier.period_start
            and attributed.customer_key = earlier.customer_key
)

select
    paired.period_type,
    paired.period_start,
    paired.customer_key,
    {%- for name in customer_segment_types() %}
    segments.{{ name }},
    {%- endfor %}
    cast(paired.count_occasions as bigint) as count_occasions,
    cast(paired.count_orders as bigint) as count_orders,
    {{ as_money('paired.total_net') }} as total_net,
    {{ as_money('paired.total_net_repeat') }} as total_net_repeat,
    cast(paired.count_repeat_orders as bigint) as count_repeat_orders,
    cast(paired.count_full_price_repeat_orders as bigint) as count_full_price_repeat_orders,
    {{ as_money('paired.total_net_before') }} as total_net_before,
    {{ as_money('case when paired.count_occasions_before > 0 then paired.total_net else 0 end') }}
        as total_net_kept,
    case paired.period_type
        when 'lifetime' then segments.count_kinds
        when 'trailing_window' then segments.count_kinds_in_window
        else 0
    end as count_kinds,
    case
        when paired.count_occasions > 0
            then {{ dbt.datediff(
                'greatest(segments.first_order_date, paired.period_start)', 'periods.period_end', 'day'
            ) }}
        else 0
    end as days_observed,
    case when paired.period_type = 'lifetime' then segments.count_lapses else 0 end as count_lapses,
    segments.days_since_last_order,
    {{ dbt.datediff('segments.first_order_date', 'segments.last_order_date', 'day') }} as days_first_to_last_order,
    segments.count_occasions as count_occasions_ever,
    paired.count_occasions > 0 as is_active,
    segments.first_order_date >= paired.period_start as is_first,
    paired.count_occasions_before > 0 as was_active_before,
    {{ dbt.datediff('segments.first_order_date', as_of_date(), 'day') }}
    > {{ var('repeat_window_days') + var('late_grace_days') }} as is_repeat_window_closed,
    coalesce(
        {{ dbt.datediff('segments.first_order_date', 'segments.second_order_date', 'day') }}
        <= {{ var('repeat_window_days') }},
        false
    ) as is_back_within_window,
    segments.is_loyal,
    segments.is_member,
    paired.period_type = 'lifetime' and segments.has_bought_in_line_again as has_bought_in_line_again,
    paired.period_type = 'lifetime' and segments.has_moved_up_a_line as has_moved_up_a_line,
    coalesce(referrals.count_referrals, 0) as count_referrals,
    coalesce(referrals.count_converted_referrals, 0) as count_converted_referrals,
    coalesce(referrals.count_rewarded_referrals, 0) as count_rewarded_referrals,
    coalesce(referrals.count_unrewarded_referrals, 0) as count_unrewarded_referrals
from paired
inner join periods
    on paired.period_type = periods.period_type and paired.period_start = periods.period_start
inner join {{ ref('int_customer_segments') }} as segments on paired.customer_key = segments.customer_key
left join referrals
    on
        paired.period_type = referrals.period_type
        and paired.period_start = referrals.period_start
        and paired.customer_key = referrals.customer_key
