-- Grain: one row per product.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.product_id') }} as product_id,
        {{ text('raw.product_name') }} as product_name,
        {{ text('raw.product_kind') }} as product_kind,
        try_cast(raw.launched_on as date) as launch_date,
        {{ number('raw.unit_cost') }} as unit_cost,
        {{ provenance() }},
        {{ refusals([rule_missing('product_id'), rule_not_a_number('unit_cost')]) }} as refusals
    from {{ source('raw', 'demo__products') }} as raw
)

{{ judged_rows('judged', key=['product_id']) }}
