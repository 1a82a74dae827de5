-- Grain: one row per customer of a source.
select
    customer_key,
    source_name,
    customer_id,
    created_at,
    country_code,
    region,
    acquisition_channel,
    customer_type
from {{ ref('int_customers_united') }}
