-- Grain: one row per purchase metric and period, as the counts and exact sums that value and interval follow from.
with periods as (
    select * from {{ ref('int_metric_periods') }}
),

customers as (
    select
        customer_key,
        min(order_date) as first_order_date,
        min(order_date) filter (where occasion_number = 2) as second_order_date,
        count(*) as count_occasions
    from {{ ref('int_customer_occasions') }}
    group by customer_key
),

repeat_lifetime as (
    select
        'repeat_purchase_rate' as metric,
        count(*) filter (where customers.count_occasions >= 2) as numerator,
        count(*) as denominator,
        count(*) as count_customers,
        -- the youngest customers have had no time to come back
        bool_and(
            {{ dbt.datediff('first_order_date', as_of_date(), 'day') }}
            > {{ var('repeat_window_days') }} + {{ var('late_grace_days') }}
        ) as is_mature
    from customers
),

repeat_within_window as (
    select
        'repeat_purchase_rate_within_window' as metric,
        count(*) filter (
            where {{ dbt.datediff('first_order_date', 'second_order_date', 'day') }} <= {{ var('repeat_window_days') }}
        ) as numerator,
        count(*) as denominator,
        count(*) as count_customers,
        true as is_mature
    from customers
    where
        {{ dbt.datediff('first_order_date', as_of_date(), 'day') }}
        > {{ var('repeat_window_days') }} + {{ var('late_grace_days') }}
),

customer_frequency as (
    select
        customer_key,
        count(*) as count_occasions
    from {{ ref('int_customer_occasions') }}
    where order_date > {{ active_window_starts_after() }}
    group by customer_key
),

frequency as (
    select
        'purchase_frequency' as metric,
        sum(count_occasions) as numerator,
        count(*) as denominator,
        sum(count_occasions * count_occasions) as total_squares,
        count(*) as count_customers
    from customer_frequency
),

order_value as (
    select
        'average_order_value' as metric,
        periods.period_type,
        periods.period_start,
        periods.is_mature,
        sum(orders.net_amount) as numerator,
        count(*) as denominator,
        sum(cast(orders.net_amount as decimal(28, 4)) * cast(orders.net_amount as decimal(28, 4))) as total_squares,
        count(distinct orders.customer_key) as count_customers
    from {{ ref('int_orders_valued') }} as orders
    inner join periods on orders.order_date >= periods.period_start and orders.order_date < periods.period_end
    where (orders.exclusion_reason is null or orders.exclusion_reason = 'guest_unlinked') and orders.net_amount > 0
    group by periods.period_type, periods.period_start, periods.is_mature
),

active as (
    select distinct
        periods.period_type,
        periods.period_start,
        periods.previous_start,
        occasions.customer_key
    from {{ ref('int_customer_occasions') }} as occasions
    inner join periods on occasions.order_date >= periods.period_start and occasions.order_date < periods.period_end
    where periods.period_type in ('month', 'quarter')
),

retained as (
    select
        period_type,
        period_start,
        count(*) as numerator
    from (
        select
            later.period_type,
            later.period_start,
            later.customer_key
        from active as later
        inner join active as earlier
            on
                later.period_type = earlier.period_type
                and later.previous_start = earlier.period_start
                and later.customer_key = earlier.customer_key
    ) as both_periods
    group by period_type, period_start
),

in_period as (
    select
        active.period_type,
        active.period_start,
        count(*) as count_active,
        count(*) filter (where customers.first_order_date >= active.period_start) as count_first
    from active
    inner join customers on active.customer_key = customers.customer_key
    group by active.period_type, active.period_start
),

retention as (
    select
        periods.period_type,
        periods.period_start,
        coalesce(retained.numerator, 0) as count_retained,
        coalesce(present.count_active, 0) - coalesce(present.count_first, 0) as count_returned,
        earlier.count_active as denominator
    from periods
    inner join in_period as earlier
        on periods.period_type = earlier.period_type and periods.previous_start = earlier.period_start
    left join in_period as present
        on periods.period_type = present.period_type and periods.period_start = present.period_start
    left join retained
        on periods.period_type = retained.period_type and periods.period_start = retained.period_start
),

repeats as (
    select * from repeat_lifetime
    union all
    select * from repeat_within_window
),

rates as (
    select 'retention_rate' as metric
    union all
    select 'retention_rate_classic' as metric
    union all
    select 'churn_rate' as metric
)

select
    repeats.metric,
    periods.period_type,
    periods.period_start,
    cast(repeats.numerator as {{ money() }}) as numerator,
    cast(repeats.denominator as bigint) as denominator,
    cast(null as decimal(38, 8)) as total_squares,
    cast(repeats.count_customers as bigint) as count_customers,
    coalesce(repeats.is_mature, false) as is_mature
from repeats
inner join periods on periods.period_type = 'lifetime'
union all
select
    frequency.metric,
    periods.period_type,
    periods.period_start,
    cast(frequency.numerator as {{ money() }}) as numerator,
    cast(frequency.denominator as bigint) as denominator,
    cast(frequency.total_squares as decimal(38, 8)) as total_squares,
    cast(frequency.count_customers as bigint) as count_customers,
    periods.is_mature
from frequency
inner join periods on periods.period_type = 'trailing_window'
union all
select
    metric,
    period_type,
    period_start,
    cast(numerator as {{ money() }}) as numerator,
    cast(denominator as bigint) as denominator,
    cast(total_squares as decimal(38, 8)) as total_squares,
    cast(count_customers as bigint) as count_customers,
    is_mature
from order_value
union all
select
    rates.metric,
    retention.period_type,
    retention.period_start,
    cast(case rates.metric
        when 'retention_rate' then retention.count_retained
        when 'retention_rate_classic' then retention.count_returned
        when 'churn_rate' then retention.denominator - retention.count_retained
    end as {{ money() }}) as numerator,
    cast(retention.denominator as bigint) as denominator,
    cast(null as decimal(38, 8)) as total_squares,
    cast(retention.denominator as bigint) as count_customers,
    true as is_mature
from retention
cross join rates
