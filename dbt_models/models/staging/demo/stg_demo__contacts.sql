-- Grain: one row per account or guest's order of which the shop says how its owner is reached.
select
    customer_id,
    cast(null as {{ dbt.type_string() }}) as order_id,
    updated_at as known_at,
    loyalty_card,
    mailbox,
    email,
    phone,
    social_handle,
    full_name,
    birthday,
    has_marketing_consent,
    preferred_channel,
    preferred_kind,
    source_name,
    _file,
    _loaded_at,
    _load_id,
    _row_number
from {{ ref('stg_demo__account_contacts') }}
union all
select
    cast(null as {{ dbt.type_string() }}) as customer_id,
    order_id,
    ordered_at as known_at,
    cast(null as {{ dbt.type_string() }}) as loyalty_card,
    mailbox,
    email,
    phone,
    cast(null as {{ dbt.type_string() }}) as social_handle,
    cast(null as {{ dbt.type_string() }}) as full_name,
    cast(null as {{ dbt.type_string() }}) as birthday,
    cast(null as boolean) as has_marketing_consent,
    cast(null as {{ dbt.type_string() }}) as preferred_channel,
    cast(null as {{ dbt.type_string() }}) as preferred_kind,
    source_name,
    _file,
    _loaded_at,
    _load_id,
    _row_number
from {{ ref('stg_demo__guest_contacts') }}
