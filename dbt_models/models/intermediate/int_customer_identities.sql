-- Grain: one row per account or guest's order that has an identifier, with the customer whose it is.
with own_groups as (
    select
        record_number,
        first_record_number
    from {{ ref('int_identity_groups') }}
    where rule_set_number = 0
),

links as (
    select
        links.record_number,
        links.linked_by,
        links.rule_rank,
        count(*) over (
            partition by own_groups.first_record_number, links.linked_by, links.identifier, links.bearer
        ) as count_sharers
    from {{ ref('int_identity_links') }} as links
    inner join own_groups on links.record_number = own_groups.record_number
    where links.rule_set_number = 0
),

strongest as (
    select
        record_number,
        min_by(linked_by, rule_rank) as linked_by
    from links
    where count_sharers > 1
    group by record_number
)

select
    records.record_number,
    records.source_name,
    records.record_kind,
    records.record_id,
    records.record_key,
    records.began_at,
    coalesce(firsts.record_key, records.record_key) as customer_key,
    case when firsts.record_number <> records.record_number then strongest.linked_by end as linked_by,
    case
        when firsts.record_number <> records.record_number then greatest(firsts.began_at, records.began_at)
    end as linked_at
from {{ ref('int_identity_records') }} as records
left join own_groups on records.record_number = own_groups.record_number
left join {{ ref('int_identity_records') }} as firsts on own_groups.first_record_number = firsts.record_number
left join strongest on records.record_number = strongest.record_number
