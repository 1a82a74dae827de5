-- Grain: one row per customer whom a source names: in its customer table, or in anything that a customer did or got.
{%- set named_in = [
    ('point_events', 'customer_id'),
    ('tier_changes', 'customer_id'),
    ('referrals', 'referrer_customer_id'),
    ('referrals', 'referred_customer_id'),
    ('campaign_messages', 'customer_id'),
    ('subscription_events', 'customer_id'),
    ('visits', 'customer_id'),
] %}

with named as (
    {{ united('customers') }}
),

mentioned as (
    select distinct
        source_name,
        customer_id
    from {{ ref('int_orders_united') }}
    where customer_id is not null
    union distinct
    select distinct
        source_name,
        customer_id
    from {{ ref('int_refunds_united') }}
    where customer_id is not null
    union distinct
    select distinct
        source_name,
        customer_id
    from {{ ref('int_feedback_united') }}
    where customer_id is not null
    {%- for entity, column in named_in if var('staged').get(entity) %}
    union distinct
    {{ customers_named_in(entity, column) }}
    {%- endfor %}
    union distinct
    select
        source_name,
        customer_id
    from named
)

select
    mentioned.source_name,
    mentioned.customer_id,
    {{ keyed_hash(key_of('mentioned.source_name', 'mentioned.customer_id')) }} as customer_key,
    named.created_at,
    named.country_code,
    named.region,
    named.acquisition_channel,
    coalesce(named.customer_type, 'consumer') as customer_type
from mentioned
left join named
    on mentioned.source_name = named.source_name and mentioned.customer_id = named.customer_id
