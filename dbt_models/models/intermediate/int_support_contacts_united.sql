-- Grain: one row per accepted request for help of any source.
select
    united.*,
    {{ key_of('source_name', 'contact_id') }} as contact_key,
    {{ nullable_key_of('source_name', 'order_id') }} as order_key,
    {{ business_date('opened_at') }} as opened_date
from ({{ united('support_contacts') }}) as united
