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

second_days as (
    select
        customer_key,
        order_date as second_order_date
    from customer_days
    where occasion_number = 2
),

kinds as (
    select
        customer_key,
        'lifetime' as period_type,
        count(distinct product_kind) as count_kinds
    from {{ ref('fct_order_lines') }}
    where is_valid and line_kind = 'product' and product_kind is not null
    group by customer_key
    union all
    select
        customer_key,
        'trailing_window' as period_type,
        count(distinct product_kind) as count_kinds
    from {{ ref('fct_order_lines') }}
    where
        is_valid and line_kind = 'product' and product_kind is not null
        and order_date > {{ active_window_starts_after() }}
    group by customer_key
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

present_and_before as (
    select
        period_type,
        period_start,
        customer_key,
        count_occasions,
        count_orders,
        total_net,
        total_net_repeat,
        count_repeat_orders,
        count_full_price_repeat_orders,
        0 as count_occasions_before,
        0 as total_net_before
    from attributed
    union all
    select
        periods.period_type,
        periods.period_start,
        attributed.customer_key,
        0 as count_occasions,
        0 as count_orders,
        0 as total_net,
        0 as total_net_repeat,
        0 as count_repeat_orders,
        0 as count_full_price_repeat_orders,
        attributed.count_occasions as count_occasions_before,
        attributed.total_net as total_net_before
    from attributed
    inner join periods
        on attributed.period_type = periods.period_type and attributed.period_start = periods.previous_start
),

summed as (
    select
        period_type,
        period_start,
        customer_key,
        sum(count_occasions) as count_occasions,
        sum(count_orders) as count_orders,
        sum(total_net) as total_net,
        sum(total_net_repeat) as total_net_repeat,
        sum(count_repeat_orders) as count_repeat_orders,
        sum(count_full_price_repeat_orders) as count_full_price_repeat_orders,
        sum(count_occasions_before) as count_occasions_before,
        sum(total_net_before) as total_net_before
    from present_and_before
    group by period_type, period_start, customer_key
)

select
    summed.period_type,
    summed.period_start,
    summed.customer_key,
    {%- for name in customer_segment_types() %}
    segments.{{ name }},
    {%- endfor %}
    cast(summed.count_occasions as bigint) as count_occasions,
    cast(summed.count_orders as bigint) as count_orders,
    {{ as_money('summed.total_net') }} as total_net,
    {{ as_money('summed.total_net_repeat') }} as total_net_repeat,
    cast(summed.count_repeat_orders as bigint) as count_repeat_orders,
    cast(summed.count_full_price_repeat_orders as bigint) as count_full_price_repeat_orders,
    {{ as_money('summed.total_net_before') }} as total_net_before,
    {{ as_money('case when summed.count_occasions_before > 0 then summed.total_net else 0 end') }} as total_net_kept,
    coalesce(kinds.count_kinds, 0) as count_kinds,
    case
        when summed.count_occasions > 0
            then {{ dbt.datediff(
                'greatest(segments.first_order_date, summed.period_start)', 'periods.period_end', 'day'
            ) }}
        else 0
    end as days_observed,
    segments.days_since_last_order,
    {{ dbt.datediff('segments.first_order_date', 'segments.last_order_date', 'day') }} as days_first_to_last_order,
    segments.count_occasions as count_occasions_ever,
    summed.count_occasions > 0 as is_active,
    segments.first_order_date >= summed.period_start as is_first,
    summed.count_occasions_before > 0 as was_active_before,
    {{ dbt.datediff('segments.first_order_date', as_of_date(), 'day') }}
    > {{ var('repeat_window_days') + var('late_grace_days') }} as is_repeat_window_closed,
    coalesce(
        {{ dbt.datediff('segments.first_order_date', 'second_days.second_order_date', 'day') }}
        <= {{ var('repeat_window_days') }},
        false
    ) as is_back_within_window,
    segments.is_loyal,
    segments.is_member,
    coalesce(referrals.count_referrals, 0) as count_referrals,
    coalesce(referrals.count_converted_referrals, 0) as count_converted_referrals,
    coalesce(referrals.count_rewarded_referrals, 0) as count_rewarded_referrals,
    coalesce(referrals.count_unrewarded_referrals, 0) as count_unrewarded_referrals
from summed
inner join periods on summed.period_type = periods.period_type and summed.period_start = periods.period_start
inner join {{ ref('int_customer_segments') }} as segments on summed.customer_key = segments.customer_key
left join second_days on summed.customer_key = second_days.customer_key
left join kinds on summed.customer_key = kinds.customer_key and summed.period_type = kinds.period_type
left join referrals
    on
        summed.period_type = referrals.period_type
        and summed.period_start = referrals.period_start
        and summed.customer_key = referrals.customer_key
