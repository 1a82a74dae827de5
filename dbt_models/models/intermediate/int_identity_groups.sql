-- Grain: one row per set of rules and record that the set links with another one: the first record of its customer.
with never_the_same as (
    {{ never_the_same() }}
),

linked as (
    select distinct
        rule_set_number,
        record_number
    from {{ ref('int_identity_links') }}
),

placed as (
    select
        linked.rule_set_number,
        linked.record_number,
        components.component,
        records.record_name,
        records.began_at,
        records.full_name,
        records.birthday
    from linked
    inner join {{ ref('int_identity_components') }} as components
        on {{ identity_node('linked.record_number', 'linked.rule_set_number') }} = components.node
    inner join {{ ref('int_identity_records') }} as records on linked.record_number = records.record_number
),

-- a chain of links may join what no link joins: two names, two birthdays, a pair that is never the same
by_name as (
    select
        *,
        coalesce(full_name, first_value(full_name) over (
            partition by component
            order by case when full_name is null then 1 else 0 end asc, began_at asc nulls last, record_number asc
        )) as told_name
    from placed
),

by_birthday as (
    select
        *,
        coalesce(birthday, first_value(birthday) over (
            partition by component, told_name
            order by case when birthday is null then 1 else 0 end asc, began_at asc nulls last, record_number asc
        )) as told_birthday
    from by_name
),

parted as (
    select distinct
        parted.component,
        parted.record_number
    from never_the_same
    inner join placed as kept on never_the_same.kept_name = kept.record_name
    inner join placed as parted on never_the_same.parted_name = parted.record_name and kept.component = parted.component
)

select
    people.rule_set_number,
    people.record_number,
    first_value(people.record_number) over (
        partition by people.component, people.told_name, people.told_birthday, parted.record_number
        order by people.began_at asc nulls last, people.record_number asc
    ) as first_record_number
from by_birthday as people
left join parted on people.component = parted.component and people.record_number = parted.record_number
