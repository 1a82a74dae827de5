-- Grain: one row per customer of whom some account says how its owner is reached.
with contacts as (
    {{ united('contacts') }}
)

select
    accounts.customer_key,
    bool_or(contacts.full_name is not null) as has_name,
    bool_or(contacts.birthday is not null) as has_birthday,
    -- one account that refused is enough: whoever is asked twice is written to by none
    bool_and(contacts.has_marketing_consent) as has_marketing_consent
from contacts
inner join {{ ref('int_customers_united') }} as accounts
    on contacts.source_name = accounts.source_name and contacts.customer_id = accounts.customer_id
group by accounts.customer_key
