-- Grain: one row per customer, whatever accounts and guests' orders are theirs.
select
    customers.customer_key,
    customers.source_name,
    customers.customer_id,
    customers.created_at,
    customers.country_code,
    customers.region,
    customers.acquisition_channel,
    customers.customer_type,
    customers.count_accounts,
    customers.count_guest_orders,
    contacts.has_name,
    contacts.has_birthday,
    contacts.has_marketing_consent,
    contacts.preferred_contact_channel,
    contacts.preferred_product_kind
from {{ ref('int_customers_resolved') }} as customers
left join {{ ref('int_customer_contacts') }} as contacts on customers.customer_key = contacts.customer_key
