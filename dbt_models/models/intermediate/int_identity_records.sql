-- Grain: one row per account or guest's order that has an identifier and a beginning; none of whom was forgotten.
{%- set identity = var('identity') %}
with contacts as (
    {{ united('contacts') }}
),

accounts as (
    {{ united('customers') }}
),

first_orders as (
    select
        source_name,
        customer_id,
        min(ordered_at) as first_ordered_at
    from {{ ref('int_orders_united') }}
    where customer_id is not null
    group by source_name, customer_id
),

named as (
    select
        contacts.*,
        'account' as record_kind,
        contacts.customer_id as record_id,
        {{ key_of('contacts.source_name', 'contacts.customer_id') }} as record_name,
        coalesce(accounts.created_at, first_orders.first_ordered_at) as began_at
    from contacts
    left join accounts
        on contacts.source_name = accounts.source_name and contacts.customer_id = accounts.customer_id
    left join first_orders
        on contacts.source_name = first_orders.source_name and contacts.customer_id = first_orders.customer_id
    where contacts.customer_id is not null
    {%- if identity.links_guests %}
    union all
    select
        contacts.*,
        'guest_order' as record_kind,
        contacts.order_id as record_id,
        {{ guest_order_name('contacts.source_name', 'contacts.order_id') }} as record_name,
        orders.ordered_at as began_at
    from contacts
    inner join {{ ref('int_orders_united') }} as orders
        on contacts.source_name = orders.source_name and contacts.order_id = orders.order_id
    where contacts.customer_id is null and orders.customer_id is null
    {%- endif %}
),

keyed as (
    select
        *,
        {{ keyed_hash('record_name') }} as record_key
    from named
    where
        coalesce(loyalty_card, mailbox, email, phone, social_handle) is not null
        -- a link says since when it is one
        and began_at is not null
        and {{ '1 = 1' if identity.rules else '1 = 0' }}
)

select
    row_number() over (order by keyed.source_name asc, keyed.record_kind asc, keyed.record_id asc) as record_number,
    keyed.source_name,
    keyed.record_kind,
    keyed.record_id,
    keyed.record_name,
    keyed.record_key,
    keyed.began_at,
    keyed.loyalty_card,
    keyed.mailbox,
    keyed.email,
    keyed.phone,
    keyed.social_handle,
    {{ 'keyed.full_name' if 'full_name' in identity.told_apart_by else 'cast(null as varchar)' }} as full_name,
    {{ 'keyed.birthday' if 'birthday' in identity.told_apart_by else 'cast(null as varchar)' }} as birthday
from keyed
left join {{ source('raw', 'forgotten_records') }} as forgotten on keyed.record_key = forgotten.record_key
where forgotten.record_key is null
