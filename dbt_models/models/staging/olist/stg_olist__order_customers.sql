-- Grain: one row per order's customer_id; the customer is customer_unique_id.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.customer_id') }} as order_customer_id,
        {{ text('raw.customer_unique_id') }} as customer_id,
        {{ text('raw.customer_state') }} as region,
        {{ provenance() }},
        {{ refusals([rule_missing('customer_id'), rule_missing('customer_unique_id')]) }} as refusals
    from {{ source('raw', 'olist__customers') }} as raw
)

{{ judged_rows('judged', key=['order_customer_id']) }}
