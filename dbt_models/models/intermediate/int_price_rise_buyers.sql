-- Grain: one row per day of price rises, window and customer who bought in it something that rises on that day, or only
-- what does not rise near it: whether the customer came back in as many days after the window.
{%- set days = var('price_rise_window_days') %}
with rises as (
    select
        product_key,
        currency_code,
        rise_date,
        {{ dbt.dateadd('day', days - 1, 'rise_date') }} <= {{ as_of_date() }} as is_follow_up_over
    from {{ ref('int_price_rises') }}
),

lines as (
    select
        lines.customer_key,
        lines.product_key,
        orders.original_currency_code as currency_code,
        lines.order_date
    from {{ ref('fct_order_lines') }} as lines
    inner join {{ ref('int_orders_valued') }} as orders on lines.order_key = orders.order_key
    where
        lines.is_valid and lines.line_kind = 'product' and lines.quantity > 0
        and lines.customer_key is not null and lines.product_key is not null
        and lines.order_date >= (
            select {{ dbt.dateadd('day', -2 * days, 'min(rises.rise_date)') }} from rises
        )
),

rounds as (
    select
        rises.rise_date,
        count(*) as count_lines
    from rises
    inner join lines
        on
            rises.product_key = lines.product_key
            and rises.currency_code = lines.currency_code
            and rises.rise_date > lines.order_date
            and {{ dbt.dateadd('day', -1 * days, 'rises.rise_date') }} <= lines.order_date
    where rises.is_follow_up_over
    group by rises.rise_date
    order by count_lines desc, rises.rise_date asc
    limit {{ price_rounds_followed() }}
),

windows as (
    {%- for window, begins in price_rise_windows().items() %}
    select
        rise_date,
        '{{ window }}' as rise_window,
        cast({{ dbt.dateadd('day', begins, 'rise_date') }} as date) as first_date,
        cast({{ dbt.dateadd('day', begins + days, 'rise_date') }} as date) as end_date,
        cast({{ dbt.dateadd('day', begins + 2 * days, 'rise_date') }} as date) as follow_up_end_date
    from rounds
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

bought as (
    select
        windows.rise_date,
        windows.rise_window,
        lines.customer_key,
        coalesce(bool_or(rises.rise_date = windows.rise_date), false) as has_bought_what_rises,
        coalesce(bool_or(rises.rise_date <> windows.rise_date), false) as has_bought_what_rises_near
    from windows
    inner join lines on windows.first_date <= lines.order_date and windows.end_date > lines.order_date
    left join rises
        on
            lines.product_key = rises.product_key
            and lines.currency_code = rises.currency_code
            and {{ dbt.dateadd('day', -2 * days, 'windows.rise_date') }} <= rises.rise_date
            and {{ dbt.dateadd('day', days, 'windows.rise_date') }} > rises.rise_date
    group by windows.rise_date, windows.rise_window, lines.customer_key
),

returned as (
    select distinct
        windows.rise_date,
        windows.rise_window,
        occasions.customer_key
    from windows
    inner join {{ ref('int_customer_occasions') }} as occasions
        on windows.end_date <= occasions.order_date and windows.follow_up_end_date > occasions.order_date
)

select
    bought.rise_date,
    bought.rise_window,
    bought.customer_key,
    bought.has_bought_what_rises,
    returned.customer_key is not null as has_returned
from bought
left join returned
    on
        bought.rise_date = returned.rise_date
        and bought.rise_window = returned.rise_window
        and bought.customer_key = returned.customer_key
where bought.has_bought_what_rises or not bought.has_bought_what_rises_near
