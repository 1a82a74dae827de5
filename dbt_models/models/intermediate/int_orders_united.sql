-- Grain: one row per accepted order of any source.
select
    united.*,
    {{ key_of('source_name', 'order_id') }} as order_key,
    {{ business_date('ordered_at') }} as order_date
from ({{ united('orders') }}) as united
