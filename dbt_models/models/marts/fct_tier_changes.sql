-- Grain: one row per customer and change of tier, with the day on which the next one ended it.
with changes as (
    select
        changes.*,
        customers.customer_key,
        {{ business_date('changes.changed_at') }} as change_date
    from ({{ united('tier_changes') }}) as changes
    left join {{ ref('int_customers_united') }} as customers
        on changes.source_name = customers.source_name and changes.customer_id = customers.customer_id
)

select
    customer_key || ':' || cast(row_number() over of_customer as {{ dbt.type_string() }}) as tier_change_key,
    source_name,
    customer_key,
    tier,
    lag(tier) over of_customer as tier_before,
    changed_at,
    change_date,
    lead(change_date) over of_customer as next_change_date,
    change_reason,
    lead(changed_at) over of_customer is null as is_current
from changes
window of_customer as (partition by customer_key order by changed_at asc, tier asc)
