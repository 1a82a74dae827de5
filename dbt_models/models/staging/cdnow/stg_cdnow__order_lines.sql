-- Grain: one row per purchase, which is all of its order.
select
    source_name,
    order_id,
    1 as line_number,
    'cd' as product_id,
    'product' as line_kind,
    quantity,
    {{ as_money(ratio('line_amount', 'quantity')) }} as unit_price,
    line_amount
from {{ ref('stg_cdnow__purchases') }}
