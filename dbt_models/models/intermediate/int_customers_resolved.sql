-- Grain: one row per customer: all accounts and guests' orders of one person together.
with members as (
    select
        customer_key,
        source_name,
        customer_id,
        created_at,
        country_code,
        region,
        acquisition_channel,
        customer_type,
        'account' as record_kind
    from {{ ref('int_customers_united') }}
    union all
    select
        customer_key,
        source_name,
        cast(null as {{ dbt.type_string() }}) as customer_id,
        cast(null as timestamp) as created_at,
        cast(null as {{ dbt.type_string() }}) as country_code,
        cast(null as {{ dbt.type_string() }}) as region,
        cast(null as {{ dbt.type_string() }}) as acquisition_channel,
        'consumer' as customer_type,
        record_kind
    from {{ ref('int_customer_identities') }}
    where record_kind = 'guest_order'
),

placed as (
    select
        *,
        row_number() over (
            partition by customer_key
            order by record_kind asc, created_at asc nulls last, source_name asc, customer_id asc nulls last
        ) as place
    from members
)

select
    customer_key,
    min_by(source_name, place) as source_name,
    min_by(customer_id, place) filter (where customer_id is not null) as customer_id,
    min(created_at) as created_at,
    min_by(country_code, place) filter (where country_code is not null) as country_code,
    min_by(region, place) filter (where region is not null) as region,
    min_by(acquisition_channel, place) filter (where acquisition_channel is not null) as acquisition_channel,
    min_by(customer_type, place) as customer_type,
    count(*) filter (where record_kind = 'account') as count_accounts,
    count(*) filter (where record_kind = 'guest_order') as count_guest_orders
from placed
group by customer_key
