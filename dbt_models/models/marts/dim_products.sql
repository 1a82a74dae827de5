-- Grain: one row per product of a source.
with named as (
    {{ united('products') }}
),

sold as (
    select distinct
        source_name,
        product_id
    from {{ ref('int_order_lines_united') }}
    where product_id is not null
    union distinct
    select
        source_name,
        product_id
    from named
)

select
    {{ key_of('sold.source_name', 'sold.product_id') }} as product_key,
    sold.source_name,
    sold.product_id,
    named.product_name,
    named.product_kind,
    named.quality_line,
    named.quality_rank,
    named.launch_date,
    named.unit_cost
from sold
left join named on sold.source_name = named.source_name and sold.product_id = named.product_id
