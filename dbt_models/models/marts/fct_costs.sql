-- Grain: one row per day, purpose, channel and campaign that cost something.
select
    spent.source_name || ':' || cast(spent.cost_date as {{ dbt.type_string() }}) || ':' || spent.purpose
    || ':' || coalesce(spent.channel, '') || ':' || coalesce(spent.campaign_id, '') as cost_key,
    spent.source_name,
    spent.cost_date,
    case when spent.purpose = 'acquisition' then 'acquisition' else 'retention' end as cost_kind,
    spent.purpose,
    spent.channel,
    {{ nullable_key_of('spent.source_name', 'spent.campaign_id') }} as campaign_key,
    spent.currency_code as original_currency_code,
    spent.cost_amount as original_cost_amount,
    {{ in_reporting_currency('spent.cost_amount', exchange_rate_of('spent.currency_code', 'rates')) }} as cost_amount
from ({{ united('costs') }}) as spent
left join {{ ref('int_exchange_rates_filled') }} as rates
    on spent.currency_code = rates.currency_code and spent.cost_date = rates.valid_date
