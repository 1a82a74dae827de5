-- Grain: one row per accepted answer, rating or review of any source.
select
    {{ entity_columns('feedback') | list | reject('equalto', 'wave') | join(',
    ') }},
    coalesce(wave, {{ quarter_name(business_date('submitted_at')) }}) as wave,
    {{ key_of('source_name', 'feedback_id') }} as feedback_key,
    {{ nullable_key_of('source_name', 'order_id') }} as order_key,
    {{ nullable_key_of('source_name', 'invitation_id') }} as invitation_key,
    {{ business_date('submitted_at') }} as feedback_date
from ({{ united('feedback') }}) as united
