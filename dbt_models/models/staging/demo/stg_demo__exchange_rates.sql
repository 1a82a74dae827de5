-- Grain: one row per currency and day that the shop has a rate of.
{{ config(materialized='staged') }}

{%- set rate_number = 'try_cast(' ~ text('raw.rate') ~ ' as ' ~ rate() ~ ')' %}

with judged as (
    select
        {{ calendar_day('raw.rate_date') }} as rate_date,
        upper({{ text('raw.currency') }}) as currency_code,
        'EUR' as quote_currency_code,
        {{ rate_number }} as exchange_rate,
        {{ local_to_utc('cast(' ~ calendar_day('raw.rate_date') ~ ' as timestamp)') }} as published_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('rate_date'),
            rule_not_a_day('rate_date'),
            rule_missing('currency'),
            rule_missing('rate'),
            rule_unreadable('rate', rate_number, 'a number'),
            ['`rate` is not above zero', rate_number ~ ' <= 0']
        ]) }} as refusals
    from {{ source('raw', 'demo__exchange_rates') }} as raw
)

{{ judged_rows('judged', key=['currency_code', 'rate_date'], happened_at='published_at') }}
