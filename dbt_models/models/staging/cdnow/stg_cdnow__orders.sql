-- Grain: one row per purchase.
select
    source_name,
    order_id,
    customer_id,
    ordered_at,
    'delivered' as order_status,
    'USD' as currency_code,
    'web' as channel,
    'US' as country_code
from {{ ref('stg_cdnow__purchases') }}
