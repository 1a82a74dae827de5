-- Grain: one row per customer number; the country is that of the latest invoice.
select
    source_name,
    customer_id,
    {{ online_retail_country_code('max_by(country, cast(invoiced_at as varchar) || invoice_number)') }} as country_code
from {{ ref('stg_online_retail__invoice_lines') }}
where customer_id is not null
group by source_name, customer_id
