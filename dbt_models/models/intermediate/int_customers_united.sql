-- Grain: one row per account that a source names, in its customer table or elsewhere; none that was forgotten.
{%- set named_in = [
    ('point_events', 'customer_id'),
    ('tier_changes', 'customer_id'),
    ('badges', 'customer_id'),
    ('referrals', 'referrer_customer_id'),
    ('referrals', 'referred_customer_id'),
    ('campaign_messages', 'customer_id'),
    ('subscription_events', 'customer_id'),
    ('visits', 'customer_id'),
    ('survey_invitations', 'customer_id'),
    ('support_contacts', 'customer_id'),
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
),

keyed as (
    select
        source_name,
        customer_id,
        {{ keyed_hash(key_of('source_name', 'customer_id')) }} as record_key
    from mentioned
)

select
    keyed.source_name,
    keyed.customer_id,
    coalesce(identities.customer_key, keyed.record_key) as customer_key,
    named.created_at,
    named.country_code,
    named.region,
    named.acquisition_channel,
    coalesce(named.customer_type, 'consumer') as customer_type
from keyed
left join named
    on keyed.source_name = named.source_name and keyed.customer_id = named.customer_id
left join {{ ref('int_customer_identities') }} as identities on keyed.record_key = identities.record_key
left join {{ source('raw', 'forgotten_records') }} as forgotten on keyed.record_key = forgotten.record_key
where forgotten.record_key is null
