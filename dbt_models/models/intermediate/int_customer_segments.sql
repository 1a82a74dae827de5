-- Grain: one row per customer with a valid order: the segments that a customer stays in, the standing of today and
-- of the day before the trailing window, and what else every period tells of a customer.
with tiers_before as (
    select
        customer_key,
        tier
    from {{ ref('fct_tier_changes') }}
    where
        change_date <= {{ active_window_starts_after() }}
        and (next_change_date is null or next_change_date > {{ active_window_starts_after() }})
),

members as (
    select customer_key from {{ ref('fct_points_ledger') }}
    union distinct
    select customer_key from {{ ref('fct_tier_changes') }}
),

first_orders as (
    select
        *,
        row_number() over (partition by customer_key order by ordered_at asc nulls last, order_key asc) as order_number
    from {{ ref('int_orders_segmented') }}
    where is_valid and occasion_number = 1
),

kinds as (
    select
        customer_key,
        count(*) as count_kinds,
        count(*) filter (where last_order_date > {{ active_window_starts_after() }}) as count_kinds_in_window
    from (
        select
            customer_key,
            product_kind,
            max(order_date) as last_order_date
        from {{ ref('fct_order_lines') }}
        where is_valid and line_kind = 'product' and product_kind is not null
        group by customer_key, product_kind
    ) as bought
    group by customer_key
),

upgrades as (
    select
        customer_key,
        bool_or(has_moved_up) as has_moved_up
    from {{ ref('int_line_upgrades') }}
    group by customer_key
)

select
    first_orders.customer_key,
    first_orders.order_date as first_order_date,
    first_orders.channel,
    first_orders.device,
    first_orders.country,
    first_orders.product_kind,
    coalesce(customers.acquisition_channel, 'unknown') as acquisition_channel,
    {{ quarter_name('first_orders.order_date') }} as acquisition_cohort,
    coalesce(earlier.rfm_segment, 'first_order_since') as rfm_segment,
    case
        when earlier.is_loyal then 'loyal'
        when earlier.customer_key is not null then 'other'
        else 'first_order_since'
    end as loyalty,
    coalesce(tiers_before.tier, 'no_tier') as tier,
    members.customer_key is not null as is_member,
    coalesce(present.is_loyal, false) as is_loyal,
    second_occasions.order_date as second_order_date,
    present.last_order_date,
    present.count_occasions,
    present.days_since_last_order,
    present.count_lapses,
    coalesce(kinds.count_kinds, 0) as count_kinds,
    coalesce(kinds.count_kinds_in_window, 0) as count_kinds_in_window,
    upgrades.customer_key is not null as has_bought_in_line_again,
    coalesce(upgrades.has_moved_up, false) as has_moved_up_a_line
from first_orders
inner join {{ ref('int_customer_standings') }} as present
    on first_orders.customer_key = present.customer_key and present.standing = 'as_of'
left join {{ ref('int_customer_standings') }} as earlier
    on first_orders.customer_key = earlier.customer_key and earlier.standing = 'window_start'
left join {{ ref('dim_customers') }} as customers on first_orders.customer_key = customers.customer_key
left join tiers_before on first_orders.customer_key = tiers_before.customer_key
left join members on first_orders.customer_key = members.customer_key
left join kinds on first_orders.customer_key = kinds.customer_key
left join upgrades on first_orders.customer_key = upgrades.customer_key
left join {{ ref('int_customer_occasions') }} as second_occasions
    on first_orders.customer_key = second_occasions.customer_key and second_occasions.occasion_number = 2
where first_orders.order_number = 1
