-- Grain: one row per customer, badge and award of it.
with awards as (
    select
        badges.*,
        customers.customer_key,
        coalesce(customers.customer_key, 'unknown') as holder,
        {{ business_date('badges.awarded_at') }} as award_date
    from ({{ united('badges') }}) as badges
    left join {{ ref('int_customers_united') }} as customers
        on badges.source_name = customers.source_name and badges.customer_id = customers.customer_id
)

select
    holder || ':' || cast(row_number() over of_holder as {{ dbt.type_string() }}) as badge_key,
    source_name,
    customer_key,
    badge_name,
    badge_level,
    awarded_at,
    award_date,
    case when customer_key is not null then row_number() over of_badge end as award_number
from awards
window
    of_holder as (
        partition by holder
        order by awarded_at asc, badge_name asc, badge_level asc nulls first, source_name asc, customer_id asc
    ),
    of_badge as (
        partition by holder, badge_name
        order by awarded_at asc, badge_level asc nulls first, source_name asc, customer_id asc
    )
