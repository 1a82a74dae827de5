-- Grain: one row per customer as of the night.
with order_facts as (
    select
        customer_key,
        count(*) as count_orders,
        sum(net_amount) as total_net,
        sum(gross_amount) as total_gross,
        sum(refunded_amount) as total_refunded,
        count(*) filter (where order_date > {{ active_window_starts_after() }}) as count_orders_in_window
    from {{ ref('fct_orders') }}
    where is_valid
    group by customer_key
),

occasion_facts as (
    select
        customer_key,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        min(order_date) filter (where occasion_number = 2) as second_order_date,
        count(*) as count_occasions,
        count(*) filter (where order_date > {{ active_window_starts_after() }}) as count_occasions_in_window,
        sum(total_net) filter (where order_date > {{ active_window_starts_after() }}) as total_net_in_window,
        median({{ dbt.datediff('previous_order_date', 'order_date', 'day') }}) as median_gap_days
    from {{ ref('int_customer_occasions') }}
    group by customer_key
),

kind_facts as (
    select
        customer_key,
        count(distinct product_kind) as count_product_kinds
    from {{ ref('fct_order_lines') }}
    where is_valid and line_kind = 'product' and customer_key is not null
    group by customer_key
),

feedback_facts as (
    select
        customer_key,
        count(*) as count_feedback,
        max(score) filter (where is_last_nps) as last_nps_score,
        max(band) filter (where is_last_nps) as last_nps_band,
        max(score_0_100) filter (where instrument = 'csat' and is_latest) as last_csat_0_100
    from (
        select
            *,
            {{ is_nps('instrument') }} and row_number() over (
                partition by customer_key, {{ is_nps('instrument') }}
                order by submitted_at desc nulls last, feedback_key desc
            ) = 1 as is_last_nps
        from {{ ref('fct_feedback') }}
        where customer_key is not null
    ) as answers
    group by customer_key
)

select
    customers.customer_key,
    customers.source_name,
    occasion_facts.first_order_date,
    occasion_facts.second_order_date,
    occasion_facts.last_order_date,
    cast(date_trunc('month', occasion_facts.first_order_date) as date) as cohort_month,
    {{ next_anniversary('occasion_facts.first_order_date', as_of_date()) }} as next_anniversary_date,
    coalesce(order_facts.count_orders, 0) as count_orders,
    coalesce(occasion_facts.count_occasions, 0) as count_occasions,
    coalesce(order_facts.count_orders_in_window, 0) as count_orders_in_window,
    coalesce(occasion_facts.count_occasions_in_window, 0) as count_occasions_in_window,
    {{ dbt.datediff('occasion_facts.first_order_date', as_of_date(), 'day') }} as days_observed,
    {{ dbt.datediff('occasion_facts.last_order_date', as_of_date(), 'day') }} as days_since_last_order,
    {{ dbt.datediff('occasion_facts.first_order_date', 'occasion_facts.last_order_date', 'day') }}
        as days_first_to_last_order,
    cast(occasion_facts.median_gap_days as double) as median_gap_days,
    '{{ var("currency") }}' as currency_code,
    {{ as_money('coalesce(order_facts.total_gross, 0)') }} as total_gross,
    {{ as_money('coalesce(order_facts.total_refunded, 0)') }} as total_refunded,
    {{ as_money('coalesce(order_facts.total_net, 0)') }} as total_net,
    {{ as_money('coalesce(occasion_facts.total_net_in_window, 0)') }} as total_net_in_window,
    {{ as_money('coalesce(order_facts.total_net, 0) * ' ~ var('margin_share')) }} as total_margin,
    {{ ratio('order_facts.total_net', 'order_facts.count_orders') }} as mean_order_net,
    coalesce(kind_facts.count_product_kinds, 0) as count_product_kinds,
    coalesce(feedback_facts.count_feedback, 0) as count_feedback,
    feedback_facts.last_nps_score,
    feedback_facts.last_nps_band,
    feedback_facts.last_csat_0_100,
    coalesce(occasion_facts.count_occasions >= 2, false) as is_repeat_customer,
    coalesce(occasion_facts.count_occasions_in_window >= 1, false) as is_active,
    feedback_facts.customer_key is not null as has_feedback
from {{ ref('dim_customers') }} as customers
left join order_facts on customers.customer_key = order_facts.customer_key
left join occasion_facts on customers.customer_key = occasion_facts.customer_key
left join kind_facts on customers.customer_key = kind_facts.customer_key
left join feedback_facts on customers.customer_key = feedback_facts.customer_key
