-- Grain: one row per customer of whom some account says how its owner is reached.
with of_accounts as (
    select
        accounts.customer_key,
        contacts.source_name,
        contacts.customer_id,
        contacts.known_at,
        contacts.full_name,
        contacts.birthday,
        contacts.has_marketing_consent,
        lower({{ short_word('contacts.preferred_channel') }}) as preferred_contact_channel,
        {{ short_word('contacts.preferred_kind') }} as preferred_product_kind
    from ({{ united('contacts') }}) as contacts
    inner join {{ ref('int_customers_united') }} as accounts
        on contacts.source_name = accounts.source_name and contacts.customer_id = accounts.customer_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by customer_key, preferred_contact_channel is null
            order by known_at desc nulls last, source_name asc, customer_id asc, preferred_contact_channel asc
        ) as channel_rank,
        row_number() over (
            partition by customer_key, preferred_product_kind is null
            order by known_at desc nulls last, source_name asc, customer_id asc, preferred_product_kind asc
        ) as kind_rank
    from of_accounts
)

select
    customer_key,
    bool_or(full_name is not null) as has_name,
    bool_or(birthday is not null) as has_birthday,
    -- one account that refused is enough: whoever is asked twice is written to by none
    bool_and(has_marketing_consent) as has_marketing_consent,
    max(preferred_contact_channel) filter (where channel_rank = 1) as preferred_contact_channel,
    max(preferred_product_kind) filter (where kind_rank = 1) as preferred_product_kind
from ranked
group by customer_key
