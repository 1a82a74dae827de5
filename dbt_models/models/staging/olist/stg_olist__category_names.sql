-- Grain: one row per product category.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.product_category_name') }} as category_name,
        {{ text('raw.product_category_name_english') }} as category_name_english,
        {{ provenance() }},
        {{ refusals([
            rule_missing('product_category_name'),
            rule_missing('product_category_name_english')
        ]) }} as refusals
    from {{ source('raw', 'olist__category_translation') }} as raw
)

{{ judged_rows('judged', key=['category_name']) }}
