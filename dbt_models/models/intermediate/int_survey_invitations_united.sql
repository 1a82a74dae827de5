-- Grain: one row per accepted invitation of any source.
select
    united.*,
    {{ key_of('source_name', 'invitation_id') }} as invitation_key,
    {{ nullable_key_of('source_name', 'order_id') }} as order_key,
    {{ business_date('sent_at') }} as sent_date
from ({{ united('survey_invitations') }}) as united
