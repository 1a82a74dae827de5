-- Grain: one row per account or guest's order that was found to be a known customer's.
select
    identities.customer_key,
    identities.record_key,
    identities.source_name,
    identities.record_kind,
    identities.record_id,
    identities.linked_by,
    identities.linked_at
from {{ ref('int_customer_identities') }} as identities
where identities.customer_key <> identities.record_key
