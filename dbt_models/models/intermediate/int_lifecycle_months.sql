-- Grain: one row per customer and complete month since the first order: the state of the life cycle when it ended.
with dates as (
    select
        cast(period_start as {{ dbt.type_string() }}) as standing,
        cast({{ dbt.dateadd('day', -1, 'period_end') }} as date) as standing_date
    from {{ ref('int_metric_periods') }}
    where period_type = 'month'
),

standings as (
    {{ standings_at('dates') }}
)

select
    customer_key,
    cast(date_trunc('month', standing_date) as date) as month_start,
    lifecycle_state
from standings
