-- Grain: one row per product and day from which a list price holds, by the as-of.
select
    {{ key_of('source_name', 'product_id') }} as product_key,
    valid_from_date,
    lead(valid_from_date) over (partition by source_name, product_id order by valid_from_date) as next_valid_from_date,
    list_price
from ({{ united('product_prices') }}) as united
where valid_from_date <= {{ as_of_date() }}
