-- Grain: one row per product.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.product_id') }} as product_id,
        {{ text('raw.product_name') }} as product_name,
        {{ text('raw.product_kind') }} as product_kind,
        {{ text('raw.quality_line') }} as quality_line,
        -- from the cheapest line to the dearest; a line that is not named here has no place among them
        case {{ text('raw.quality_line') }}
            when 'basic' then 1
            when 'standard' then 2
            when 'premium' then 3
        end as quality_rank,
        try_cast(raw.launched_on as date) as launch_date,
        {{ number('raw.unit_cost') }} as unit_cost,
        {{ provenance() }},
        {{ refusals([rule_missing('product_id'), rule_not_a_number('unit_cost')]) }} as refusals
    from {{ source('raw', 'demo__products') }} as raw
)

{{ judged_rows('judged', key=['product_id']) }}
