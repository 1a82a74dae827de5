-- Grain: one row per currency and day, from its first rate to the as-of: the latest rate of that day or before it. Days
-- on which the latest is older than the setting allows are left out.
with published as (
    select
        currency_code,
        rate_date,
        exchange_rate,
        row_number() over (partition by currency_code, rate_date order by source_name asc) as source_number
    from ({{ united('exchange_rates') }}) as united
    where quote_currency_code = '{{ var("currency") }}'
),

rates as (
    select
        currency_code,
        rate_date,
        exchange_rate,
        lead(rate_date) over (partition by currency_code order by rate_date asc) as next_rate_date
    from published
    where source_number = 1
),

days as (
    {{ days_from_to("(select min(rate_date) from rates)", as_of_date()) }}
)

select
    rates.currency_code,
    days.day_date as valid_date,
    rates.rate_date,
    rates.exchange_rate
from days
inner join rates
    on
        days.day_date >= rates.rate_date
        and (rates.next_rate_date is null or days.day_date < rates.next_rate_date)
        and {{ dbt.datediff('rates.rate_date', 'days.day_date', 'day') }} <= {{ var('maximum_rate_age_days') }}
