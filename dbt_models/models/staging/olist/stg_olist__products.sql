-- Grain: one row per product; it has no name, its kind is its category in English.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.product_id') }} as product_id,
        coalesce(names.category_name_english, {{ text('raw.product_category_name') }}) as product_kind,
        {{ provenance() }},
        {{ refusals([rule_missing('product_id')]) }} as refusals
    from {{ source('raw', 'olist__products') }} as raw
    left join {{ ref('stg_olist__category_names') }} as names
        on {{ text('raw.product_category_name') }} = names.category_name
)

{{ judged_rows('judged', key=['product_id']) }}
