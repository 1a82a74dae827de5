-- Grain: one row per visit to the web shop or the app.
select
    {{ key_of('visits.source_name', 'visits.visit_id') }} as visit_key,
    visits.source_name,
    visits.visit_id,
    customers.customer_key,
    visits.device,
    visits.channel,
    visits.started_at,
    {{ business_date('visits.started_at') }} as visit_date,
    visits.count_pages,
    coalesce(visits.has_cart, false) as has_cart
from ({{ united('visits') }}) as visits
left join {{ ref('int_customers_united') }} as customers
    on visits.source_name = customers.source_name and visits.customer_id = customers.customer_id
