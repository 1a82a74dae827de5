-- Grain: one row per accepted answer, rating or review of any source.
select
    united.*,
    {{ key_of('source_name', 'feedback_id') }} as feedback_key,
    {{ nullable_key_of('source_name', 'order_id') }} as order_key,
    {{ business_date('submitted_at') }} as feedback_date
from ({{ united('feedback') }}) as united
