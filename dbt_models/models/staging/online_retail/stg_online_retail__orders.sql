-- Grain: one row per invoice that is no cancellation; its time is that of its first line.
select
    source_name,
    invoice_number as order_id,
    max(customer_id) as customer_id,
    min(invoiced_at) as ordered_at,
    case when bool_or(is_adjustment) then 'adjustment' else 'delivered' end as order_status,
    'GBP' as currency_code,
    'web' as channel,
    {{ online_retail_country_code('max(country)') }} as country_code,
    bool_or(stock_code like 'TEST%') as is_test,
    bool_and(stock_code like 'GIFT%') as is_gift_card_only
from {{ ref('stg_online_retail__invoice_lines') }}
where not is_cancellation
group by source_name, invoice_number
