-- Grain: one row per customer, whatever accounts and guests' orders are theirs.
select
    customer_key,
    source_name,
    customer_id,
    created_at,
    country_code,
    region,
    acquisition_channel,
    customer_type,
    count_accounts,
    count_guest_orders
from {{ ref('int_customers_resolved') }}
