-- Grain: one row per product launched while the shop was open and base: who was active before, and who bought it soon.
with launches as (
    select
        products.product_key,
        products.product_id,
        products.launch_date,
        periods.period_start,
        {{ dbt.datediff('products.launch_date', as_of_date(), 'day') }} >= {{ var('adoption_window_days') }} - 1
            as is_adoption_window_closed
    from {{ ref('dim_products') }} as products
    inner join {{ ref('int_metric_periods') }} as periods
        on periods.period_type = 'lifetime' and products.launch_date > periods.period_start
    where products.launch_date <= {{ as_of_date() }}
),

involved as (
    select
        launches.product_key,
        occasions.customer_key,
        true as was_active,
        false as has_bought
    from launches
    inner join {{ ref('int_customer_occasions') }} as occasions
        on
            launches.launch_date > occasions.order_date
            and {{ dbt.datediff('occasions.order_date', 'launches.launch_date', 'day') }}
            <= {{ var('active_window_days') }}
    union all
    select
        launches.product_key,
        lines.customer_key,
        false as was_active,
        true as has_bought
    from launches
    inner join {{ ref('fct_order_lines') }} as lines
        on
            launches.product_key = lines.product_key
            and launches.launch_date <= lines.order_date
            and {{ dbt.datediff('launches.launch_date', 'lines.order_date', 'day') }}
            < {{ var('adoption_window_days') }}
    where lines.is_valid and lines.quantity > 0
),

customers as (
    select
        product_key,
        customer_key,
        bool_or(was_active) as was_active,
        bool_or(has_bought) as has_bought
    from involved
    group by product_key, customer_key
),

sums as (
    select
        'lifetime' as period_type,
        launches.period_start,
        'product' as segment_type,
        launches.product_id as segment,
        {{ base_columns(adoption_bases()) }}
    from customers
    inner join launches on customers.product_key = launches.product_key
    group by launches.period_start, launches.product_id
)

{{ bases_in_rows('sums', adoption_bases()) }}
