-- Grain: one row per purchase; the source names no orders, so the row itself is the order.
{{ config(
    materialized='staged',
    meta={'reconciled_amount': {'raw': number('raw.dollar_value'), 'staged': 'line_amount'}}
) }}

with judged as (
    select
        {{ text('raw.customer_id') }} as customer_id,
        {{ text('raw.customer_id') }} || '-' || cast(raw._row_number as {{ dbt.type_string() }}) as order_id,
        {{ local_to_utc("try_cast(" ~ yyyymmdd('raw.purchase_date') ~ " as timestamp)") }} as ordered_at,
        {{ whole_number('raw.number_of_cds') }} as quantity,
        {{ number('raw.dollar_value') }} as line_amount,
        {{ provenance() }},
        {{ refusals([
            rule_missing('customer_id'),
            rule_missing('purchase_date'),
            rule_unreadable(
                'purchase_date', "try_cast(" ~ yyyymmdd('raw.purchase_date') ~ " as date)", 'a day like 19970131'
            ),
            rule_missing('number_of_cds'),
            rule_not_a_whole_number('number_of_cds'),
            rule_missing('dollar_value'),
            rule_not_a_number('dollar_value')
        ]) }} as refusals
    from {{ source('raw', 'cdnow__purchases') }} as raw
)

{{ judged_rows('judged', key=['_load_id', '_row_number'], happened_at='ordered_at') }}
