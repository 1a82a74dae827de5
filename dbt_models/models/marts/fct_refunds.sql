-- Grain: one row per refund; on its own day (cash view), while fct_orders nets it on the order's day.
with rated as (
    select
        refunds.*,
        orders.order_key as linked_order_key,
        coalesce(orders.customer_key, customers.customer_key) as customer_key,
        case
            when orders.order_key is not null then orders.exchange_rate
            else {{ exchange_rate_of('refunds.currency_code', 'rates') }}
        end as exchange_rate,
        sum(refunds.refund_amount) over (
            partition by coalesce(orders.order_key, refunds.refund_key)
            order by refunds.refund_date asc, refunds.refund_key asc
            rows between unbounded preceding and current row
        ) as refunded_so_far
    from {{ ref('int_refunds_united') }} as refunds
    left join {{ ref('int_orders_valued') }} as orders on refunds.order_key = orders.order_key
    left join {{ ref('int_customers_united') }} as customers
        on refunds.source_name = customers.source_name and refunds.customer_id = customers.customer_id
    left join {{ ref('int_exchange_rates_filled') }} as rates
        on refunds.currency_code = rates.currency_code and refunds.refund_date = rates.valid_date
)

select
    refund_key,
    source_name,
    refund_id,
    linked_order_key as order_key,
    customer_key,
    refunded_at,
    refund_date,
    currency_code as original_currency_code,
    refund_amount as original_refund_amount,
    -- a difference of rounded sums, so that the refunds of an order add up to what the order says was refunded
    {{ as_money(
        in_reporting_currency('refunded_so_far') ~ ' - ' ~ in_reporting_currency('(refunded_so_far - refund_amount)')
    ) }} as refund_amount,
    refund_reason,
    linked_order_key is not null as is_linked
from rated
