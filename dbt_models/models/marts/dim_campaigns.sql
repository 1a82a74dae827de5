-- Grain: one row per campaign that has begun.
select
    {{ key_of('source_name', 'campaign_id') }} as campaign_key,
    source_name,
    campaign_id,
    campaign_name,
    purpose,
    start_date,
    end_date,
    holdout_share
from ({{ united('campaigns') }}) as campaigns
