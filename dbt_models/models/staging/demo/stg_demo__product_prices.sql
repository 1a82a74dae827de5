-- Grain: one row per product and day from which a list price holds. A price may be announced: rows of later days are
-- seen, and hold once their day has come.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.product_id') }} as product_id,
        {{ calendar_day('raw.valid_from') }} as valid_from_date,
        {{ number('raw.list_price') }} as list_price,
        {{ provenance() }},
        {{ refusals([
            rule_missing('product_id'),
            rule_missing('valid_from'),
            rule_not_a_day('valid_from'),
            rule_missing('list_price'),
            rule_not_a_number('list_price'),
            ['`list_price` is not above zero', number('raw.list_price') ~ ' <= 0']
        ]) }} as refusals
    from {{ source('raw', 'demo__product_prices') }} as raw
)

{{ judged_rows('judged', key=['product_id', 'valid_from_date']) }}
