-- Grain: one row per accepted refund of any source.
select
    united.*,
    {{ key_of('source_name', 'refund_id') }} as refund_key,
    {{ nullable_key_of('source_name', 'order_id') }} as order_key,
    {{ business_date('refunded_at') }} as refund_date
from ({{ united('refunds') }}) as united
