-- Grain: one row per text that somebody wrote, and what it stands beside. The one place of texts; never published.
select
    texts.stands_beside,
    {{ key_of('texts.source_name', 'texts.text_id') }} as text_key,
    texts.source_name,
    customers.customer_key,
    texts.language_code,
    texts.written_at,
    {{ business_date('texts.written_at') }} as written_date,
    texts.written_text
from ({{ united('texts') }}) as texts
left join {{ ref('int_customers_united') }} as customers
    on texts.source_name = customers.source_name and texts.customer_id = customers.customer_id
