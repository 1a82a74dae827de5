-- Grain: one row per invoice line of either sheet, cancellations included; the nine days that both sheets hold count once.
{{ config(
    materialized='staged',
    meta={'reconciled_amount': {'raw': whole_number('raw.quantity') ~ ' * ' ~ number('raw.price'), 'staged': 'line_amount'}}
) }}

with located as (
    select
        lines.*,
        "Invoice" as invoice,
        "StockCode" as stock_code,
        "Description" as description,
        "Quantity" as quantity,
        "InvoiceDate" as invoice_date,
        "Price" as price,
        "Customer ID" as customer_number,
        "Country" as country,
        -- the second sheet begins where time falls back
        {{ moment('"InvoiceDate"') }} < lag({{ moment('"InvoiceDate"') }}) over (
            partition by _load_id order by _row_number nulls last
        ) as falls_back
    from {{ source('raw', 'online_retail__invoice_lines') }} as lines
),

sheets as (
    select
        *,
        sum(case when falls_back then 1 else 0 end) over (
            partition by _load_id order by _row_number nulls last rows unbounded preceding
        ) as sheet
    from located
),

copies as (
    select
        *,
        row_number() over (
            partition by sheet, invoice, stock_code, description, quantity, invoice_date, price, customer_number, country
            order by _loaded_at nulls last, _file nulls last, _row_number nulls last
        ) as copy_in_sheet
    from sheets
),

overlaps as (
    select
        *,
        row_number() over (
            partition by
                invoice, stock_code, description, quantity, invoice_date, price, customer_number, country, copy_in_sheet
            order by sheet nulls last, _loaded_at nulls last, _file nulls last, _row_number nulls last
        ) as copy_over_sheets
    from copies
),

judged as (
    select
        {{ text('raw.invoice') }} as invoice_number,
        upper({{ text('raw.stock_code') }}) as stock_code,
        {{ text('raw.description') }} as description,
        {{ whole_number('raw.quantity') }} as quantity,
        {{ number('raw.price') }} as unit_price,
        {{ as_money(whole_number('raw.quantity') ~ ' * ' ~ number('raw.price')) }} as line_amount,
        {{ local_to_utc(moment('raw.invoice_date')) }} as invoiced_at,
        {{ text('raw.customer_number') }} as customer_id,
        {{ text('raw.country') }} as country,
        upper(raw.invoice) like 'C%' as is_cancellation,
        upper(raw.invoice) like 'A%' as is_adjustment,
        {{ online_retail_line_kind('upper(' ~ text('raw.stock_code') ~ ')') }} as line_kind,
        {{ provenance() }},
        {{ refusals([
            rule_missing('invoice'),
            rule_missing('stock_code'),
            rule_missing('quantity'),
            rule_not_a_whole_number('quantity'),
            rule_missing('invoice_date'),
            rule_not_a_moment('invoice_date'),
            rule_missing('price'),
            rule_not_a_number('price'),
            ['repeats a line of the overlapping sheet', 'raw.copy_over_sheets > 1']
        ]) }} as refusals
    from overlaps as raw
)

{{ judged_rows('judged', key=['_load_id', '_row_number'], happened_at='invoiced_at') }}
