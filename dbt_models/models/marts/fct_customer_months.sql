-- Grain: one row per customer and calendar month, from the month of the first valid order to the month of the as-of.
-- What happened is summed in one pass over narrow rows, and most months have none: memory follows the months in which
-- something happened, not all that are told.
{%- set amounts = {
    'count_occasions': 'bigint', 'count_orders': 'bigint', 'total_net': 'decimal(18, 4)', 'count_refunds': 'bigint',
    'total_refund_cash': 'decimal(18, 4)', 'count_feedback': 'bigint', 'count_contacts': 'bigint',
    'count_bad_contacts': 'bigint', 'count_points_given': 'bigint', 'count_points_redeemed': 'bigint',
} %}
{%- set kinds = [
    (ref('int_customer_occasions'), 'order_date', {
        'count_occasions': 1, 'count_orders': 'count_orders', 'total_net': 'total_net',
    }),
    (ref('fct_refunds'), 'refund_date', {'count_refunds': 1, 'total_refund_cash': 'refund_amount'}),
    (ref('fct_feedback'), 'feedback_date', {'count_feedback': 1}),
    (ref('fct_support_contacts'), 'opened_date', {
        'count_contacts': 1, 'count_bad_contacts': 'case when is_bad_contact then 1 else 0 end',
    }),
    ('points', 'month_start', {
        'count_points_given': 'points_given', 'count_points_redeemed': 'points_redeemed',
    }),
] %}
{%- set open_month = "cast(date_trunc('month', " ~ dbt.dateadd('day', 1, as_of_date()) ~ ") as date)" %}

-- what a member got before the first order belongs to its month, so that months add up to the ledger
with points as (
    select
        ledger.customer_key,
        greatest(cast(date_trunc('month', ledger.effective_date) as date), customers.cohort_month) as month_start,
        sum(ledger.points) filter (where ledger.is_gift) as points_given,
        -sum(ledger.points) filter (where ledger.event_kind = 'redeem') as points_redeemed,
        sum(ledger.points) as points_moved
    from {{ ref('fct_points_ledger') }} as ledger
    inner join {{ ref('fct_customers') }} as customers on ledger.customer_key = customers.customer_key
    where customers.cohort_month is not null
    group by
        ledger.customer_key, greatest(cast(date_trunc('month', ledger.effective_date) as date), customers.cohort_month)
),

-- each balance and the month in which the next one begins: far fewer rows than months, most of which move nothing
balances as (
    select
        customer_key,
        month_start,
        lead(month_start) over of_customer as next_month_start,
        sum(points_moved) over of_customer as points_balance
    from points
    window of_customer as (partition by customer_key order by month_start asc)
),

events as (
    {%- for relation, date, columns in kinds %}
    select
        {%- for name, type in amounts.items() %}
        cast({{ columns.get(name, 0) }} as {{ type }}) as {{ name }},
        {%- endfor %}
        customer_key,
        cast(date_trunc('month', {{ date }}) as date) as month_start
    from {{ relation }}
    where customer_key is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

happened as (
    select
        {%- for name in amounts %}
        sum({{ name }}) as {{ name }},
        {%- endfor %}
        customer_key,
        month_start
    from events
    group by customer_key, month_start
),

-- complete months have a state of the life cycle; the month of the as-of may not be over
months as (
    select
        states.customer_key,
        states.month_start,
        customers.cohort_month,
        states.lifecycle_state
    from {{ ref('int_lifecycle_months') }} as states
    inner join {{ ref('fct_customers') }} as customers on states.customer_key = customers.customer_key
    union all
    select
        customer_key,
        {{ open_month }} as month_start,
        cohort_month,
        cast(null as {{ dbt.type_string() }}) as lifecycle_state
    from {{ ref('fct_customers') }}
    where cohort_month is not null and {{ open_month }} <= {{ as_of_date() }}
)

select
    months.customer_key,
    months.month_start,
    months.cohort_month,
    cast({{ months_between('months.cohort_month', 'months.month_start') }} as integer) as months_since_first_order,
    cast(coalesce(happened.count_occasions, 0) as bigint) as count_occasions,
    cast(coalesce(happened.count_orders, 0) as bigint) as count_orders,
    {{ as_money('coalesce(happened.total_net, 0)') }} as total_net,
    {{ as_money('coalesce(happened.total_net, 0) * ' ~ var('margin_share')) }} as total_margin,
    {%- for name in [
        'count_refunds', 'total_refund_cash', 'count_feedback', 'count_contacts', 'count_bad_contacts',
        'count_points_given', 'count_points_redeemed',
    ] %}
    cast(coalesce(happened.{{ name }}, 0) as {{ amounts[name] }}) as {{ name }},
    {%- endfor %}
    cast(coalesce(balances.points_balance, 0) as bigint) as points_balance,
    months.lifecycle_state,
    coalesce(happened.count_occasions, 0) > 0 as is_active,
    months.month_start < {{ open_month }} as is_complete_month
from months
left join happened on months.customer_key = happened.customer_key and months.month_start = happened.month_start
left join balances
    on
        months.customer_key = balances.customer_key
        and months.month_start >= balances.month_start
        and (balances.next_month_start is null or months.month_start < balances.next_month_start)
