-- Grain: one row per day, purpose, channel and campaign that cost something.
{{ config(
    materialized='staged',
    meta={'reconciled_amount': {'raw': number('raw.amount'), 'staged': 'cost_amount'}}
) }}

with judged as (
    select
        {{ calendar_day('raw.cost_date') }} as cost_date,
        lower({{ text('raw.purpose') }}) as purpose,
        nullif({{ text('raw.channel') }}, 'all') as channel,
        {{ text('raw.campaign_id') }} as campaign_id,
        {{ number('raw.amount') }} as cost_amount,
        upper({{ text('raw.currency') }}) as currency_code,
        {{ local_to_utc('cast(' ~ calendar_day('raw.cost_date') ~ ' as timestamp)') }} as incurred_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('cost_date'),
            rule_not_a_day('cost_date'),
            rule_missing('purpose'),
            rule_not_one_of('purpose', ['acquisition', 'retention', 'win_back', 'programme']),
            rule_missing('amount'),
            rule_not_a_number('amount'),
            rule_missing('currency')
        ]) }} as refusals
    from {{ source('raw', 'demo__marketing_costs') }} as raw
)

{{ judged_rows('judged', key=['cost_date', 'purpose', 'channel', 'campaign_id'], happened_at='incurred_at') }}
