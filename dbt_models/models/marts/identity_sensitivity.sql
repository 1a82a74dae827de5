-- Grain: one row per set of rules and headline metric: how it moves with what counts as one customer.
with rule_sets as (
    {{ identity_rule_set_rows() }}
),

orders as (
    select
        valued.order_date,
        valued.net_amount,
        accounts.customer_id is not null as has_account,
        case when accounts.customer_id is not null then {{ key_of('united.source_name', 'united.customer_id') }} end
            as account_name,
        records.record_number,
        rule_sets.rule_set_number,
        rule_sets.rule_set,
        rule_sets.links_guests
    from {{ ref('int_orders_valued') }} as valued
    inner join {{ ref('int_orders_united') }} as united on valued.order_key = united.order_key
    cross join rule_sets
    left join {{ ref('int_customers_united') }} as accounts
        on united.source_name = accounts.source_name and united.customer_id = accounts.customer_id
    left join {{ ref('int_identity_records') }} as records
        on
            united.source_name = records.source_name
            and records.record_kind = case when united.customer_id is null then 'guest_order' else 'account' end
            and coalesce(united.customer_id, united.order_id) = records.record_id
    where coalesce(valued.exclusion_reason, 'guest_unlinked') = 'guest_unlinked'
),

owned as (
    select
        orders.rule_set_number,
        orders.rule_set,
        orders.order_date,
        orders.net_amount,
        case
            when not (orders.has_account or orders.links_guests) then null
            else coalesce(
                cast(linked.first_record_number as varchar), cast(orders.record_number as varchar), orders.account_name
            )
        end as buyer
    from orders
    left join {{ ref('int_identity_groups') }} as linked
        on orders.rule_set_number = linked.rule_set_number and orders.record_number = linked.record_number
),

customers as (
    select
        rule_set_number,
        rule_set,
        count(distinct order_date) as count_occasions,
        sum(net_amount) as total_net
    from owned
    where buyer is not null
    group by rule_set_number, rule_set, buyer
),

counted as (
    select
        rule_set_number,
        rule_set,
        count(*) as count_customers,
        count(*) filter (where count_occasions >= 2) as count_repeat_customers,
        sum(count_occasions) as count_occasions,
        sum(total_net) as total_net
    from customers
    group by rule_set_number, rule_set
),

linked_orders as (
    select
        rule_set_number,
        rule_set,
        count(*) as count_orders,
        count(buyer) as count_linked_orders
    from owned
    group by rule_set_number, rule_set
),

measured as (
    select
        rule_set_number,
        rule_set,
        'repeat_purchase_rate' as metric,
        count_repeat_customers as numerator,
        count_customers as denominator
    from counted
    union all
    select
        rule_set_number,
        rule_set,
        'occasions_per_customer' as metric,
        count_occasions as numerator,
        count_customers as denominator
    from counted
    union all
    select
        rule_set_number,
        rule_set,
        'net_per_customer' as metric,
        total_net as numerator,
        count_customers as denominator
    from counted
    union all
    select
        rule_set_number,
        rule_set,
        'linked_orders_share' as metric,
        count_linked_orders as numerator,
        count_orders as denominator
    from linked_orders
)

select
    measured.rule_set,
    measured.metric,
    cast(measured.numerator as decimal(18, 4)) as numerator,
    cast(measured.denominator as decimal(18, 4)) as denominator,
    {{ ratio('measured.numerator', 'measured.denominator') }} as metric_value,
    {{ ratio('measured.numerator', 'measured.denominator') }} - {{ ratio('own.numerator', 'own.denominator') }}
        as difference_to_own_rules
from measured
left join measured as own on measured.metric = own.metric and own.rule_set_number = 0
