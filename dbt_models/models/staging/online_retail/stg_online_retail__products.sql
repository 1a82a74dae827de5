-- Grain: one row per stock code that is a product; its name is the latest description.
select
    source_name,
    stock_code as product_id,
    max_by(description, cast(invoiced_at as varchar) || invoice_number || description) filter (
        where description is not null
    ) as product_name
from {{ ref('stg_online_retail__invoice_lines') }}
where line_kind = 'product'
group by source_name, stock_code
