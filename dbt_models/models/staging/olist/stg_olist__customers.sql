-- Grain: one row per customer (customer_unique_id); the state is that of the latest order seen.
select
    customers.source_name,
    customers.customer_id,
    'BR' as country_code,
    max_by(customers.region, coalesce(cast(orders.ordered_at as varchar), '') || customers.order_customer_id) as region
from {{ ref('stg_olist__order_customers') }} as customers
inner join {{ ref('stg_olist__orders') }} as orders on customers.order_customer_id = orders.order_customer_id
group by customers.source_name, customers.customer_id
