-- Grain: one row per day, purpose, channel and campaign that cost something.
select
    costs.source_name || ':' || cast(costs.cost_date as {{ dbt.type_string() }}) || ':' || costs.purpose
    || ':' || coalesce(costs.channel, '') || ':' || coalesce(costs.campaign_id, '') as cost_key,
    costs.source_name,
    costs.cost_date,
    case when costs.purpose = 'acquisition' then 'acquisition' else 'retention' end as cost_kind,
    costs.purpose,
    costs.channel,
    {{ nullable_key_of('costs.source_name', 'costs.campaign_id') }} as campaign_key,
    costs.currency_code as original_currency_code,
    costs.cost_amount as original_cost_amount,
    {{ in_reporting_currency('costs.cost_amount', exchange_rate_of('costs.currency_code', 'rates')) }} as cost_amount
from ({{ united('costs') }}) as costs
left join {{ ref('int_exchange_rates_filled') }} as rates
    on costs.currency_code = rates.currency_code and costs.cost_date = rates.valid_date
