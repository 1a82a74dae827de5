-- Grain: one row per business date, from the first of the year of the earliest event to the as-of.
{%- set dated = {
    'fct_orders': 'order_date',
    'fct_refunds': 'refund_date',
    'fct_points_ledger': 'effective_date',
    'fct_tier_changes': 'change_date',
    'fct_badges': 'award_date',
    'fct_referrals': 'invite_date',
    'fct_campaign_messages': 'sent_date',
    'fct_subscriptions': 'start_date',
    'fct_visits': 'visit_date',
    'fct_costs': 'cost_date',
} %}

with firsts as (
    {%- for fact, date in dated.items() %}
    select min({{ date }}) as first_date from {{ ref(fact) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

days as (
    {{ days_from_to("(select cast(date_trunc('year', min(first_date)) as date) from firsts)", as_of_date()) }}
),

placed as (
    select
        day_date,
        -- 5 January 1970 was a Monday
        cast({{ dbt.datediff("cast('1970-01-05' as date)", 'day_date', 'day') }} % 7 + 1 as integer) as day_of_week
    from days
)

select
    day_date as calendar_date,
    cast(extract(year from day_date) as integer) as calendar_year,
    cast(extract(quarter from day_date) as integer) as quarter_of_year,
    cast(extract(month from day_date) as integer) as month_of_year,
    cast(extract(week from day_date) as integer) as iso_week,
    day_of_week,
    cast(date_trunc('quarter', day_date) as date) as quarter_start,
    cast(date_trunc('month', day_date) as date) as month_start,
    cast({{ dbt.dateadd('day', '1 - day_of_week', 'day_date') }} as date) as week_start,
    day_of_week >= 6 as is_weekend
from placed
