-- Grain: one row per purchase occasion: a customer and a business date with at least one valid order.
select
    customer_key,
    order_date,
    row_number() over (partition by customer_key order by order_date) as occasion_number,
    lag(order_date) over (partition by customer_key order by order_date) as previous_order_date,
    lead(order_date) over (partition by customer_key order by order_date) as next_order_date,
    count_orders,
    total_net
from (
    select
        customer_key,
        order_date,
        count(*) as count_orders,
        {{ as_money('sum(net_amount)') }} as total_net
    from {{ ref('int_orders_valued') }}
    where exclusion_reason is null
    group by customer_key, order_date
) as occasions
