-- Grain: one row per cancellation line. The source links no cancellation to its order: it is given to the customer's
-- latest earlier invoice with the same product at the same price and at least the cancelled quantity, else to none.
-- What was no part of an order's revenue, as postage, takes nothing off it.
{%- set no_revenue = "('fee')" if var('revenue_includes_shipping') else "('fee', 'shipping')" %}
with cancelled as (
    select
        *,
        row_number() over (
            partition by source_name, invoice_number
            order by _loaded_at nulls last, _file nulls last, _row_number nulls last
        ) as line_number
    from {{ ref('stg_online_retail__invoice_lines') }}
    where is_cancellation
),

candidates as (
    select
        cancelled.source_name,
        cancelled.invoice_number,
        cancelled.line_number,
        sold.invoice_number as order_id,
        row_number() over (
            partition by cancelled.source_name, cancelled.invoice_number, cancelled.line_number
            order by sold.invoiced_at desc nulls last, sold.invoice_number desc nulls last
        ) as nearness
    from cancelled
    inner join {{ ref('stg_online_retail__invoice_lines') }} as sold
        on
            cancelled.source_name = sold.source_name
            and cancelled.customer_id = sold.customer_id
            and cancelled.stock_code = sold.stock_code
            and cancelled.unit_price = sold.unit_price
            and cancelled.invoiced_at >= sold.invoiced_at
            and -cancelled.quantity <= sold.quantity
            and not sold.is_cancellation
            and cancelled.line_kind not in {{ no_revenue }}
)

select
    cancelled.source_name,
    cancelled.invoice_number || '-' || cast(cancelled.line_number as {{ dbt.type_string() }}) as refund_id,
    candidates.order_id,
    cancelled.customer_id,
    cancelled.invoiced_at as refunded_at,
    -cancelled.line_amount as refund_amount,
    'GBP' as currency_code,
    'cancelled' as refund_reason
from cancelled
left join candidates
    on
        cancelled.source_name = candidates.source_name
        and cancelled.invoice_number = candidates.invoice_number
        and cancelled.line_number = candidates.line_number
        and candidates.nearness = 1
