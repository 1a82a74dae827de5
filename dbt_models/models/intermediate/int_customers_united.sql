-- Grain: one row per customer whom a source's customer table, an order, a refund, an answer, an invitation or a
-- request for help names.
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
    union distinct
    select distinct
        source_name,
        customer_id
    from {{ ref('int_survey_invitations_united') }}
    where customer_id is not null
    union distinct
    select distinct
        source_name,
        customer_id
    from {{ ref('int_support_contacts_united') }}
    where customer_id is not null
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
