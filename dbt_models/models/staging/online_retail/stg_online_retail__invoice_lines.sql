-- Grain: one row per invoice line of either sheet, cancellations included; the nine days that both hold count once.
{{ config(
    materialized='staged',
    meta={'reconciled_amount': {
        'raw': product_amount(whole_number('raw.quantity'), number('raw.price')), 'staged': 'line_amount'
    }}
) }}

with timed as (
    select
        _load_id,
        _row_number,
        Invoice,
        -- the second sheet begins where time falls back
        {{ moment('InvoiceDate') }} < lag({{ moment('InvoiceDate') }}) over (
            partition by _load_id order by _row_number nulls last
        ) as falls_back
    from {{ source('raw', 'online_retail__invoice_lines') }}
),

sheets as (
    select
        _load_id,
        _row_number,
        Invoice,
        sum(case when falls_back then 1 else 0 end) over (
            partition by _load_id order by _row_number nulls last rows unbounded preceding
        ) as sheet
    from timed
),

overlapping_invoices as (
    select Invoice
    from sheets
    group by Invoice
    having count(distinct sheet) > 1
),

-- the n-th copy of a line in one sheet repeats the n-th copy of it in the other
copies as (
    select
        lines.*,
        sheets.sheet,
        row_number() over (
            partition by
                sheets.sheet, lines.Invoice, lines.StockCode, lines.Description, lines.Quantity,
                lines.InvoiceDate, lines.Price, lines.{{ adapter.quote('Customer ID') }}, lines.Country
            order by lines._loaded_at nulls last, lines._load_id nulls last, lines._row_number nulls last
        ) as copy_in_sheet
    from {{ source('raw', 'online_retail__invoice_lines') }} as lines
    inner join sheets on lines._load_id = sheets._load_id and lines._row_number = sheets._row_number
    inner join overlapping_invoices on lines.Invoice = overlapping_invoices.Invoice
),

repeated as (
    select
        _load_id,
        _row_number,
        row_number() over (
            partition by
                Invoice, StockCode, Description, Quantity, InvoiceDate, Price, {{ adapter.quote('Customer ID') }},
                Country, copy_in_sheet
            order by sheet nulls last, _loaded_at nulls last, _load_id nulls last, _row_number nulls last
        ) > 1 as is_repeat
    from copies
),

judged as (
    select
        {{ text('raw.Invoice') }} as invoice_number,
        upper({{ text('raw.StockCode') }}) as stock_code,
        {{ text('raw.Description') }} as description,
        {{ whole_number('raw.quantity') }} as quantity,
        {{ number('raw.price') }} as unit_price,
        {{ product_amount(whole_number('raw.quantity'), number('raw.price')) }} as line_amount,
        {{ local_to_utc(moment('raw.InvoiceDate')) }} as invoiced_at,
        {{ text('raw.' ~ adapter.quote('Customer ID')) }} as customer_id,
        {{ text('raw.Country') }} as country,
        upper(raw.Invoice) like 'C%' as is_cancellation,
        upper(raw.Invoice) like 'A%' as is_adjustment,
        {{ online_retail_line_kind('upper(' ~ text('raw.StockCode') ~ ')') }} as line_kind,
        {{ provenance() }},
        {{ refusals([
            rule_missing('Invoice'),
            rule_missing('StockCode'),
            rule_missing('Quantity'),
            rule_not_a_whole_number('Quantity'),
            rule_missing('InvoiceDate'),
            rule_not_a_moment('InvoiceDate'),
            rule_missing('Price'),
            rule_not_a_number('Price'),
            rule_no_amount('Quantity', 'Price'),
            ['repeats a line of the overlapping sheet', 'coalesce(repeated.is_repeat, false)']
        ]) }} as refusals
    from {{ source('raw', 'online_retail__invoice_lines') }} as raw
    left join repeated on raw._load_id = repeated._load_id and raw._row_number = repeated._row_number
)

{{ judged_rows('judged', key=['_load_id', '_row_number'], happened_at='invoiced_at') }}
