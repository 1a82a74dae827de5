-- Grain: one row per coupon that an accepted order names. Coming back is counted from a customer's first day with it.
with used as (
    select *
    from {{ ref('fct_orders') }}
    where coupon_code is not null
),

order_facts as (
    select
        coupon_code,
        min(order_date) filter (where is_revenue) as first_order_date,
        max(order_date) filter (where is_revenue) as last_order_date,
        count(*) filter (where is_revenue) as count_orders,
        count(*) filter (where not is_revenue) as count_excluded_orders,
        sum(discount_amount) filter (where is_revenue) as total_discount,
        sum(net_amount) filter (where is_revenue) as total_net
    from used
    group by coupon_code
),

first_uses as (
    select
        coupon_code,
        customer_key,
        min(order_date) as order_date
    from used
    where is_valid
    group by coupon_code, customer_key
),

followed as (
    select
        first_uses.coupon_code,
        occasions.occasion_number = 1 as is_first_purchase,
        {{ dbt.datediff('first_uses.order_date', as_of_date(), 'day') }}
        > {{ var('repeat_window_days') + var('late_grace_days') }} as is_mature,
        coalesce(
            {{ dbt.datediff('first_uses.order_date', 'occasions.next_order_date', 'day') }}
            <= {{ var('repeat_window_days') }},
            false
        ) as has_returned
    from first_uses
    inner join {{ ref('int_customer_occasions') }} as occasions
        on first_uses.customer_key = occasions.customer_key and first_uses.order_date = occasions.order_date
),

customer_facts as (
    select
        coupon_code,
        count(*) as count_customers,
        count(*) filter (where is_first_purchase) as count_first_time_customers,
        count(*) filter (where is_mature) as count_mature_customers,
        count(*) filter (where is_mature and has_returned) as count_returned_customers
    from followed
    group by coupon_code
)

select
    order_facts.coupon_code,
    order_facts.first_order_date,
    order_facts.last_order_date,
    order_facts.count_orders,
    order_facts.count_excluded_orders,
    coalesce(customer_facts.count_customers, 0) as count_customers,
    coalesce(customer_facts.count_first_time_customers, 0) as count_first_time_customers,
    '{{ var("currency") }}' as currency_code,
    {{ as_money('coalesce(order_facts.total_discount, 0)') }} as total_discount,
    {{ as_money('coalesce(order_facts.total_net, 0)') }} as total_net,
    coalesce(customer_facts.count_mature_customers, 0) as count_mature_customers,
    coalesce(customer_facts.count_returned_customers, 0) as count_returned_customers,
    {{ ratio('customer_facts.count_returned_customers', 'customer_facts.count_mature_customers') }} as returned_share,
    {{ wilson_low('customer_facts.count_returned_customers', 'customer_facts.count_mature_customers') }} as ci_low,
    {{ wilson_high('customer_facts.count_returned_customers', 'customer_facts.count_mature_customers') }} as ci_high
from order_facts
left join customer_facts on order_facts.coupon_code = customer_facts.coupon_code
