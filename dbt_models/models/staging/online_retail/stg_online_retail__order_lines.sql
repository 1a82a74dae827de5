-- Grain: one row per invoice line that is no cancellation, numbered within its invoice in the order of the file.
select
    source_name,
    invoice_number as order_id,
    row_number() over (
        partition by source_name, invoice_number
        order by _loaded_at nulls last, _file nulls last, _row_number nulls last
    ) as line_number,
    stock_code as product_id,
    line_kind,
    quantity,
    unit_price,
    line_amount
from {{ ref('stg_online_retail__invoice_lines') }}
where not is_cancellation
