-- Grain: one row per record and identifier that other records have too and that says who they are.
{%- set others = {'mailbox': 'phone', 'email': 'phone', 'phone': 'mailbox'} %}
with never_the_same as (
    {{ never_the_same() }}
),

identifiers as (
    {% for rule in identity_rules() %}
    select
        record_number,
        record_kind,
        record_name,
        '{{ rule }}' as linked_by,
        {{ loop.index }} as rule_rank,
        {{ rule }} as identifier,
        {{ others.get(rule, 'cast(null as varchar)') }} as other_identifier,
        full_name,
        birthday
    from {{ ref('int_identity_records') }}
    where {{ rule }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- what the first of a pair has too is no evidence for the second
withdrawn as (
    select
        parted.record_number,
        parted.linked_by,
        parted.identifier
    from never_the_same
    inner join identifiers as kept on never_the_same.kept_name = kept.record_name
    inner join identifiers as parted
        on
            never_the_same.parted_name = parted.record_name
            and kept.linked_by = parted.linked_by
            and kept.identifier = parted.identifier
),

told as (
    select identifiers.*
    from identifiers
    left join withdrawn
        on
            identifiers.record_number = withdrawn.record_number
            and identifiers.linked_by = withdrawn.linked_by
            and identifiers.identifier = withdrawn.identifier
    where withdrawn.record_number is null
),

-- accounts, and guests by the other identifier that they gave: more than a household is a shop's till or an office
shared as (
    select
        linked_by,
        identifier,
        min(full_name) as first_name,
        coalesce(min(full_name) <> max(full_name), false) as names_differ
    from told
    group by linked_by, identifier
    having
        count(*) > 1
        and count(*) filter (where record_kind = 'account')
        + count(distinct case when record_kind = 'guest_order' then other_identifier end)
        <= {{ var('identity').maximum_sharers }}
),

compared as (
    select
        told.record_number,
        told.record_kind,
        told.linked_by,
        told.rule_rank,
        told.identifier,
        told.full_name,
        told.birthday,
        shared.first_name,
        shared.names_differ,
        coalesce(
            min(told.birthday) over namesakes <> max(told.birthday) over namesakes,
            false
        ) as birthdays_differ
    from told
    inner join shared on told.linked_by = shared.linked_by and told.identifier = shared.identifier
    window
        namesakes as (
            partition by told.linked_by, told.identifier, case when shared.names_differ then told.full_name end
        )
)

select
    record_number,
    record_kind,
    linked_by,
    rule_rank,
    identifier,
    full_name is not null as has_name,
    -- whose the identifier is among those who have it
    coalesce(case when names_differ then full_name end, '')
    || '|' || coalesce(case when birthdays_differ then birthday end, '') as bearer,
    case when not names_differ then first_name end as owner_name
from compared
where not (names_differ and full_name is null) and not (birthdays_differ and birthday is null)
