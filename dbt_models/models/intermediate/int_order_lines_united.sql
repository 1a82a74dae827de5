-- Grain: one row per accepted order line of any source.
select
    united.*,
    {{ key_of('source_name', 'order_id') }} as order_key,
    {{ nullable_key_of('source_name', 'product_id') }} as product_key
from ({{ united('order_lines') }}) as united
