-- Grain: one row per customer and calendar month, from the month of the first valid order to the month of the as-of.
with months as (
    {{ months_from_to("(select min(order_date) from " ~ ref('int_customer_occasions') ~ ")", as_of_date()) }}
),

purchases as (
    select
        customer_key,
        cast(date_trunc('month', order_date) as date) as month_start,
        count(*) as count_occasions,
        sum(count_orders) as count_orders,
        sum(total_net) as total_net
    from {{ ref('int_customer_occasions') }}
    group by customer_key, cast(date_trunc('month', order_date) as date)
),

refunds as (
    select
        customer_key,
        cast(date_trunc('month', refund_date) as date) as month_start,
        count(*) as count_refunds,
        sum(refund_amount) as total_refund_cash
    from {{ ref('fct_refunds') }}
    where customer_key is not null
    group by customer_key, cast(date_trunc('month', refund_date) as date)
),

feedback as (
    select
        customer_key,
        cast(date_trunc('month', feedback_date) as date) as month_start,
        count(*) as count_feedback
    from {{ ref('fct_feedback') }}
    where customer_key is not null
    group by customer_key, cast(date_trunc('month', feedback_date) as date)
),

contacts as (
    select
        customer_key,
        cast(date_trunc('month', opened_date) as date) as month_start,
        count(*) as count_contacts,
        count(*) filter (where is_bad_contact) as count_bad_contacts
    from {{ ref('fct_support_contacts') }}
    where customer_key is not null
    group by customer_key, cast(date_trunc('month', opened_date) as date)
),

-- what a member got before the first order belongs to its month, so that months add up to the ledger
points as (
    select
        ledger.customer_key,
        greatest(cast(date_trunc('month', ledger.effective_date) as date), customers.cohort_month) as month_start,
        coalesce(sum(ledger.points) filter (where ledger.is_gift), 0) as count_points_given,
        coalesce(-sum(ledger.points) filter (where ledger.event_kind = 'redeem'), 0) as count_points_redeemed,
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
)

select
    customers.customer_key,
    months.month_start,
    customers.cohort_month,
    cast({{ months_between('customers.cohort_month', 'months.month_start') }} as integer) as months_since_first_order,
    coalesce(purchases.count_occasions, 0) as count_occasions,
    cast(coalesce(purchases.count_orders, 0) as bigint) as count_orders,
    {{ as_money('coalesce(purchases.total_net, 0)') }} as total_net,
    {{ as_money('coalesce(purchases.total_net, 0) * ' ~ var('margin_share')) }} as total_margin,
    coalesce(refunds.count_refunds, 0) as count_refunds,
    {{ as_money('coalesce(refunds.total_refund_cash, 0)') }} as total_refund_cash,
    coalesce(feedback.count_feedback, 0) as count_feedback,
    coalesce(contacts.count_contacts, 0) as count_contacts,
    coalesce(contacts.count_bad_contacts, 0) as count_bad_contacts,
    cast(coalesce(points.count_points_given, 0) as bigint) as count_points_given,
    cast(coalesce(points.count_points_redeemed, 0) as bigint) as count_points_redeemed,
    cast(coalesce(balances.points_balance, 0) as bigint) as points_balance,
    states.lifecycle_state,
    purchases.customer_key is not null as is_active,
    months.month_start < cast(date_trunc('month', {{ dbt.dateadd('day', 1, as_of_date()) }}) as date)
        as is_complete_month
from {{ ref('fct_customers') }} as customers
inner join months on customers.cohort_month <= months.month_start
left join purchases on customers.customer_key = purchases.customer_key and months.month_start = purchases.month_start
left join refunds on customers.customer_key = refunds.customer_key and months.month_start = refunds.month_start
left join feedback on customers.customer_key = feedback.customer_key and months.month_start = feedback.month_start
left join contacts on customers.customer_key = contacts.customer_key and months.month_start = contacts.month_start
left join points on customers.customer_key = points.customer_key and months.month_start = points.month_start
left join balances
    on
        customers.customer_key = balances.customer_key
        and months.month_start >= balances.month_start
        and (balances.next_month_start is null or months.month_start < balances.next_month_start)
left join {{ ref('int_lifecycle_months') }} as states
    on customers.customer_key = states.customer_key and months.month_start = states.month_start
