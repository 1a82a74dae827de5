-- Grain: one row per purchase occasion, with the pace that was known then: the gap to expect next, and whether the
-- customer came back from a lapse or has kept up a loyal pace. Nothing here looks past the occasion's own day.
with gaps as (
    select
        customer_key,
        order_date,
        occasion_number,
        next_order_date,
        total_net,
        {{ dbt.datediff('previous_order_date', 'order_date', 'day') }} as gap_days,
        lag(order_date, {{ var('loyal_minimum_occasions') - 1 }}) over of_customer as loyal_since_date,
        lag(order_date, {{ [var('loyal_minimum_occasions') - 2, 0] | max }}) over of_customer as kept_since_date,
        min(order_date) over (partition by customer_key) as first_order_date
    from {{ ref('int_customer_occasions') }}
    window of_customer as (partition by customer_key order by occasion_number asc)
),

closed as (
    select
        cast(date_trunc('month', order_date) as date) as month_start,
        gap_days,
        count(*) as count_gaps
    from gaps
    where gap_days is not null
    group by cast(date_trunc('month', order_date) as date), gap_days
),

-- what the shop knew of its customers' gaps when each month began
known as (
    select
        months.month_start,
        closed.gap_days,
        sum(closed.count_gaps) as count_gaps
    from (select distinct cast(date_trunc('month', order_date) as date) as month_start from gaps) as months
    inner join closed on months.month_start > closed.month_start
    group by months.month_start, closed.gap_days
),

shop as (
    select
        month_start,
        min(gap_days) as shop_gap_days
    from (
        select
            month_start,
            gap_days,
            sum(count_gaps) over (partition by month_start order by gap_days asc) as count_up_to,
            sum(count_gaps) over (partition by month_start) as count_all
        from known
    ) as counted
    where count_up_to * 2 >= count_all and count_all >= {{ var('minimum_base') }}
    group by month_start
),

medians as (
    select
        gaps.*,
        {{ running_median('gaps.gap_days', 'gaps.customer_key', 'gaps.occasion_number') }} as own_gap_days,
        coalesce(shop.shop_gap_days, {{ var('repeat_window_days') }}) as shop_gap_days
    from gaps
    left join shop on cast(date_trunc('month', gaps.order_date) as date) = shop.month_start
),

expected as (
    select
        *,
        case
            when occasion_number > 3
                then
                    ((occasion_number - 1) * own_gap_days + {{ var('gap_prior_weight') }} * shop_gap_days)
                    / (occasion_number - 1 + {{ var('gap_prior_weight') }})
            else shop_gap_days
        end as expected_gap_days
    from medians
),

judged as (
    select
        *,
        gap_days > {{ var('lapsed_gap_multiple') }} * lag(expected_gap_days) over of_customer as is_win_back,
        {{ dbt.datediff('loyal_since_date', 'order_date', 'day') }} < {{ var('active_window_days') }}
            as enters_loyal_pace,
        gap_days > {{ var('at_risk_gap_multiple') }} * lag(expected_gap_days) over of_customer
        or {{ dbt.datediff('loyal_since_date', 'order_date', 'day') }} > {{ var('active_window_days') }}
            as broke_loyal_pace
    from expected
    window of_customer as (partition by customer_key order by occasion_number asc)
)

select
    customer_key,
    order_date,
    occasion_number,
    next_order_date,
    first_order_date,
    total_net,
    cast(own_gap_days as double) as own_gap_days,
    cast(expected_gap_days as double) as expected_gap_days,
    loyal_since_date,
    kept_since_date,
    coalesce(is_win_back, false) as is_win_back,
    max(case when is_win_back then order_date end) over of_customer as last_win_back_date,
    count(*) filter (where is_win_back) over of_customer as count_win_backs,
    coalesce(
        max(case when enters_loyal_pace then occasion_number end) over of_customer
        >= coalesce(max(case when broke_loyal_pace then occasion_number end) over of_customer, 0),
        false
    ) as keeps_loyal_pace
from judged
window of_customer as (partition by customer_key order by occasion_number asc)
