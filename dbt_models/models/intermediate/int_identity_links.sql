-- Grain: one row per set of rules, record and identifier by which the set links the record with another one.
with rules as (
    {{ identity_rules_of_sets() }}
),

evidence as (
    select
        rules.rule_set_number,
        evidence.*
    from {{ ref('int_identity_evidence') }} as evidence
    inner join rules
        on evidence.linked_by = rules.linked_by and (rules.links_guests or evidence.record_kind = 'account')
),

-- a record without a name follows the strongest of its identifiers that is somebody's
followed as (
    select
        *,
        first_value(owner_name) over (
            partition by rule_set_number, record_number
            order by case when owner_name is null then 1 else 0 end asc, rule_rank asc, identifier asc
        ) as followed_name
    from evidence
    where not has_name
),

agreeing as (
    select
        rule_set_number,
        record_number,
        linked_by,
        rule_rank,
        identifier,
        bearer
    from evidence
    where has_name
    union all
    select
        rule_set_number,
        record_number,
        linked_by,
        rule_rank,
        identifier,
        bearer
    from followed
    where owner_name is null or owner_name = followed_name
)

select
    rule_set_number,
    record_number,
    linked_by,
    rule_rank,
    identifier,
    bearer,
    min(record_number) over sharers as first_record_number
from agreeing
window sharers as (partition by rule_set_number, linked_by, identifier, bearer)
qualify count(*) over sharers > 1
