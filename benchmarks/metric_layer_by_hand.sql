-- The tables of the metric layer as one script for DuckDB, written by hand for the shop that metric_layer.py draws: no
-- macros of dbt, no registry, no feed that this shop lacks. The as-of and every setting are written into it.
create or replace temp macro as_of() as date '2011-12-09';
create or replace temp macro window_start() as date '2010-12-10';
create or replace temp macro window_before() as date '2009-12-10';
create or replace temp macro z() as 1.959963984540054;
create or replace temp macro bound_of_share(k, n, side) as case
    when n > 0 and k <= n then least(1, greatest(0, (
        k::double / n + z() * z() / (2 * n::double)
        + side * z() * sqrt(
            greatest(0, k::double / n * (1 - k::double / n)) / n + z() * z() / (4 * n::double * n::double)
        )
    ) / (1 + z() * z() / n::double)))
end;
create or replace temp macro bound_of_mean(n, y, yy, side) as case
    when n >= 2 then y::double / n
        + side * z() * sqrt(greatest(0, yy::double - y::double * y::double / n) / (n - 1) / n)
end;
create or replace temp macro bound_of_ratio(n, y, x, yy, xx, yx, side) as case
    when n >= 2 and x > 0 then y::double / x + side * z() * sqrt(greatest(
        0, (yy::double - 2 * (y::double / x) * yx::double + (y::double / x) * (y::double / x) * xx::double) * n / (n - 1)
    )) / x::double
end;
create or replace temp macro quintile(percent) as least(5, 1 + floor(5 * percent))::integer;

-- orders and their lines
create or replace temp table accounts as
select
    customer_id,
    substr(sha256(getvariable('hmac_outer') || unhex(sha256(getvariable('hmac_inner') || encode('shop:' || customer_id)))),
        1, 32) as customer_key
from (select distinct customer_id from scratch.intermediate.int_orders_united where customer_id is not null);

create or replace table by_hand.fct_orders as
with line_sums as (
    select
        order_key,
        count(*) as count_lines,
        sum(quantity) filter (where line_kind = 'product') as count_units,
        sum(line_amount) filter (where line_kind not in ('shipping', 'discount', 'fee')) as items_amount,
        sum(line_amount) filter (where line_kind = 'discount') as discount_lines,
        sum(line_amount) filter (where line_kind = 'fee') as fee_amount,
        sum(line_amount) filter (where line_kind = 'shipping') as shipping_lines,
        sum(shipping_amount) as shipping_of_lines
    from scratch.intermediate.int_order_lines_united
    group by order_key
),

refund_sums as (
    select order_key, count(*) as count_refunds, sum(refund_amount) as refunded_amount
    from scratch.intermediate.int_refunds_united
    group by order_key
),

valued as (
    select
        orders.*,
        accounts.customer_key,
        coalesce(count_lines, 0) as count_lines,
        coalesce(count_units, 0)::bigint as count_units,
        coalesce(count_refunds, 0) as count_refunds,
        coalesce(line_sums.items_amount, 0)::decimal(18, 4) as items_amount_of_order,
        (coalesce(orders.discount_amount, 0) - coalesce(discount_lines, 0))::decimal(18, 4) as discount_of_order,
        (coalesce(orders.shipping_amount, 0) + coalesce(shipping_lines, 0) + coalesce(shipping_of_lines, 0))
            ::decimal(18, 4) as shipping_of_order,
        coalesce(line_sums.fee_amount, 0)::decimal(18, 4) as fee_of_order,
        coalesce(refund_sums.refunded_amount, 0)::decimal(18, 4) as refunded_of_order,
        (items_amount_of_order - discount_of_order)::decimal(18, 4) as gross_of_order,
        case
            when coalesce(is_test, false) then 'test'
            when order_status = 'cancelled' then 'cancelled'
            when coalesce(is_fraud, false) then 'fraud'
            when payment_status in ('voided', 'pending', 'failed') then 'unpaid'
            when coalesce(is_gift_card_only, false) then 'gift_card'
            when gross_of_order <= 0 then 'zero_value'
            when gross_of_order - refunded_of_order <= 0 then 'fully_refunded'
            when accounts.customer_key is null then 'guest_unlinked'
        end as reason
    from scratch.intermediate.int_orders_united as orders
    left join line_sums using (order_key)
    left join refund_sums using (order_key)
    left join accounts using (customer_id)
)

select
    order_key, source_name, order_id, customer_key, ordered_at, order_date,
    date_trunc('month', order_date)::date as order_month,
    order_status, payment_status, channel, device, country_code, count_lines, count_units, count_refunds,
    'GBP' as currency_code, currency_code as original_currency_code,
    items_amount_of_order as original_items_amount, gross_of_order as original_gross_amount,
    refunded_of_order as original_refunded_amount,
    1::decimal(18, 8) as exchange_rate,
    items_amount_of_order as items_amount, discount_of_order as discount_amount, shipping_of_order as shipping_amount,
    coalesce(tax_amount, 0)::decimal(18, 4) as tax_amount, fee_of_order as fee_amount,
    gross_of_order as gross_amount, refunded_of_order as refunded_amount,
    (gross_of_order - refunded_of_order)::decimal(18, 4) as net_amount,
    reason as exclusion_reason, reason is null as is_valid, coalesce(reason = 'guest_unlinked', true) as is_revenue,
    case when reason is null then dense_rank() over (
        partition by customer_key, reason is null order by order_date
    ) end as occasion_number
from valued;

create or replace table by_hand.fct_order_lines as
select
    order_key || ':' || line_number as order_line_key, order_key, lines.source_name, line_number, lines.product_key,
    orders.customer_key, orders.order_date, line_kind, products.product_kind, quantity,
    unit_price as original_unit_price, lines.line_amount as original_line_amount,
    (lines.line_amount * orders.exchange_rate)::decimal(18, 4) as line_amount, orders.is_valid
from scratch.intermediate.int_order_lines_united as lines
join by_hand.fct_orders as orders using (order_key)
left join marts.dim_products as products on lines.product_key = products.product_key;

-- purchase occasions and customers
create or replace temp table occasions as
select
    customer_key, order_date, count(*) as count_orders, sum(net_amount) as total_net,
    count(*) filter (where discount_amount <= 0) as count_full_price_orders,
    any_value(occasion_number) as occasion_number,
    lag(order_date) over of_customer as previous_order_date,
    lead(order_date) over of_customer as next_order_date
from by_hand.fct_orders
where is_valid
group by customer_key, order_date
window of_customer as (partition by customer_key order by order_date);

create or replace table by_hand.fct_customers as
with of_orders as (
    select
        customer_key, count(*) as count_orders, sum(net_amount) as total_net, sum(gross_amount) as total_gross,
        sum(refunded_amount) as total_refunded,
        count(*) filter (where order_date >= window_start()) as count_orders_in_window
    from by_hand.fct_orders where is_valid group by customer_key
),

of_occasions as (
    select
        customer_key, min(order_date) as first_order_date, max(order_date) as last_order_date,
        min(order_date) filter (where occasion_number = 2) as second_order_date, count(*) as count_occasions,
        count(*) filter (where order_date >= window_start()) as count_occasions_in_window,
        sum(total_net) filter (where order_date >= window_start()) as total_net_in_window,
        median(order_date - previous_order_date) as median_gap_days
    from occasions group by customer_key
),

of_kinds as (
    select customer_key, count(distinct product_kind) as count_product_kinds
    from by_hand.fct_order_lines
    where is_valid and line_kind = 'product' group by customer_key
)

select
    customer_key, 'shop' as source_name, first_order_date, second_order_date, last_order_date,
    date_trunc('month', first_order_date)::date as cohort_month,
    coalesce(count_orders, 0) as count_orders, coalesce(count_occasions, 0) as count_occasions,
    coalesce(count_orders_in_window, 0) as count_orders_in_window,
    coalesce(count_occasions_in_window, 0) as count_occasions_in_window,
    as_of() - first_order_date as days_observed, as_of() - last_order_date as days_since_last_order,
    last_order_date - first_order_date as days_first_to_last_order, median_gap_days,
    coalesce(total_gross, 0)::decimal(18, 4) as total_gross,
    coalesce(total_refunded, 0)::decimal(18, 4) as total_refunded, coalesce(total_net, 0)::decimal(18, 4) as total_net,
    coalesce(total_net_in_window, 0)::decimal(18, 4) as total_net_in_window,
    (coalesce(total_net, 0) * 0.3)::decimal(18, 4) as total_margin,
    total_net::double / nullif(count_orders, 0) as mean_order_net,
    coalesce(count_product_kinds, 0) as count_product_kinds,
    coalesce(count_occasions >= 2, false) as is_repeat_customer,
    coalesce(count_occasions_in_window >= 1, false) as is_active
from accounts
left join of_orders using (customer_key)
left join of_occasions using (customer_key)
left join of_kinds using (customer_key);

-- the pace of each customer: the gap to expect next, as it was known at each occasion
create or replace temp table paced as
with gaps as (
    select
        *, order_date - previous_order_date as gap_days, date_trunc('month', order_date)::date as month_start,
        lag(order_date, 2) over of_customer as loyal_since_date, lag(order_date, 1) over of_customer as kept_since_date
    from occasions
    window of_customer as (partition by customer_key order by order_date)
),

closed as (
    select month_start, gap_days, count(*) as count_gaps from gaps where gap_days is not null group by all
),

counted as (
    select
        months.month_start, gap_days,
        sum(sum(count_gaps)) over (partition by months.month_start order by gap_days) as count_up_to,
        sum(sum(count_gaps)) over (partition by months.month_start) as count_all
    from (select distinct month_start from gaps) as months
    join closed on months.month_start > closed.month_start
    group by months.month_start, gap_days
),

shop as (
    select month_start, min(gap_days) as shop_gap_days from counted
    where count_up_to * 2 >= count_all and count_all >= 30 group by month_start
),

expected as (
    select
        gaps.*,
        median(gap_days) over (
            partition by customer_key order by order_date rows between unbounded preceding and current row
        ) as own_gap_days,
        coalesce(shop_gap_days, 90) as shop_gap,
        case
            when occasion_number > 3
                then ((occasion_number - 1) * own_gap_days + 3.0 * shop_gap) / (occasion_number - 1 + 3.0)
            else shop_gap
        end as expected_gap_days
    from gaps left join shop using (month_start)
),

judged as (
    select
        *, gap_days > 3.0 * lag(expected_gap_days) over of_customer as is_win_back,
        order_date - loyal_since_date < 365 as enters,
        gap_days > 1.5 * lag(expected_gap_days) over of_customer or order_date - loyal_since_date > 365 as broke
    from expected
    window of_customer as (partition by customer_key order by order_date)
)

select
    customer_key, order_date, next_order_date, occasion_number, own_gap_days, expected_gap_days, loyal_since_date,
    kept_since_date, max(order_date) filter (where is_win_back) over of_customer as last_win_back_date,
    coalesce(
        max(occasion_number) filter (where enters) over of_customer
        >= coalesce(max(occasion_number) filter (where broke) over of_customer, 0), false
    ) as keeps_pace
from judged
window of_customer as (partition by customer_key order by order_date);

create or replace table by_hand.fct_customer_months as
with months as (
    select
        unnest(range(date_trunc('month', (select min(order_date) from occasions)), as_of() + interval 1 day,
            interval 1 month))::date as month_start
),

states as (
    select
        customer_key, month_start, last_day(month_start) as day,
        case
            when occasion_number = 1 and day - order_date <= 30 then 'new'
            when day - order_date > 3.0 * expected_gap_days then 'lapsed'
            when day - order_date > 1.5 * expected_gap_days then 'at_risk'
            when day - last_win_back_date <= 90 then 'won_back'
            when occasion_number <= 2 then 'early'
            when keeps_pace and day - kept_since_date < 365 then 'loyal'
            else 'developing'
        end as lifecycle_state
    from paced
    join months
        on order_date <= last_day(month_start) and coalesce(next_order_date > last_day(month_start), true)
        and last_day(month_start) <= as_of()
),

purchases as (
    select
        customer_key, date_trunc('month', order_date)::date as month_start, count(*) as count_occasions,
        sum(count_orders) as count_orders, sum(total_net) as total_net
    from occasions group by all
),

refunds as (
    select
        customer_key, date_trunc('month', refund_date)::date as month_start, count(*) as count_refunds,
        sum(refund_amount) as total_refund_cash
    from scratch.intermediate.int_refunds_united join by_hand.fct_orders using (order_key)
    where customer_key is not null group by all
)

select
    customer_key, month_start, cohort_month, date_diff('month', cohort_month, month_start)::integer
        as months_since_first_order,
    coalesce(purchases.count_occasions, 0) as count_occasions,
    coalesce(purchases.count_orders, 0)::bigint as count_orders,
    coalesce(purchases.total_net, 0)::decimal(18, 4) as total_net,
    (coalesce(purchases.total_net, 0) * 0.3)::decimal(18, 4) as total_margin,
    coalesce(count_refunds, 0) as count_refunds, coalesce(total_refund_cash, 0)::decimal(18, 4) as total_refund_cash,
    lifecycle_state, purchases.count_occasions is not null as is_active,
    last_day(month_start) <= as_of() as is_complete_month
from by_hand.fct_customers as customers
join months on cohort_month <= month_start
left join purchases using (customer_key, month_start)
left join refunds using (customer_key, month_start)
left join states using (customer_key, month_start);

create or replace table by_hand.cohort_retention as
with cells as (
    select
        cohort_month, months_since_first_order, month_start, bool_and(is_complete_month) as is_mature,
        count(*) as customers, count(*) filter (where is_active) as active, sum(count_orders)::bigint as orders,
        sum(total_net) as net, sum(total_margin) as margin,
        sum(sum(total_net)) over so_far as net_so_far, sum(sum(total_margin)) over so_far as margin_so_far
    from by_hand.fct_customer_months
    group by cohort_month, months_since_first_order, month_start
    window so_far as (partition by cohort_month order by months_since_first_order)
)

select
    cohort_month, months_since_first_order, month_start, is_mature, customers as count_customers,
    case when is_mature then active end as count_active_customers,
    case when is_mature then active::double / customers end as retention_rate,
    case when is_mature then bound_of_share(active, customers, -1) end as ci_low,
    case when is_mature then bound_of_share(active, customers, 1) end as ci_high,
    case when is_mature then orders end as count_orders,
    case when is_mature then net::decimal(18, 4) end as total_net,
    case when is_mature then margin::decimal(18, 4) end as total_margin,
    case when is_mature then net_so_far::decimal(18, 4) end as cumulative_net,
    case when is_mature then net_so_far::double / customers end as cumulative_net_per_customer,
    case when is_mature then margin_so_far::decimal(18, 4) end as cumulative_margin
from cells;

-- RFM, as of the night and on the day before the window
create or replace temp table standings as
with stood as (
    select
        day, customer_key, day - order_date as days_silent,
        coalesce(day - loyal_since_date < 365 and day - order_date <= 1.5 * own_gap_days, false) as is_loyal
    from paced
    join (values (as_of()), (window_start() - 1)) as days (day)
        on order_date <= day and coalesce(next_order_date > day, true)
),

in_window as (
    select day, customer_key, count(*) as count_occasions, sum(total_net) as total_net
    from occasions
    join (values (as_of()), (window_start() - 1)) as days (day) on order_date <= day and day - order_date < 365
    group by all
),

scored as (
    select
        day, customer_key, days_silent, is_loyal, coalesce(count_occasions, 0) as count_occasions_in_window,
        coalesce(total_net, 0)::decimal(18, 4) as total_net_in_window,
        quintile(percent_rank() over (partition by day order by days_silent desc)) as recency_score,
        quintile(percent_rank() over (partition by day order by coalesce(count_occasions, 0))) as frequency_score,
        quintile(percent_rank() over (partition by day order by coalesce(total_net, 0))) as monetary_score,
        floor((frequency_score + monetary_score) / 2.0 + 0.5)::integer as frequency_monetary_score
    from stood left join in_window using (day, customer_key)
)

select scored.*, segment_map.segment
from scored left join marts.rfm_segment_map as segment_map using (recency_score, frequency_monetary_score);

create or replace table by_hand.rfm_segments as
select
    customer_key, days_silent as days_since_last_order, count_occasions_in_window, total_net_in_window, recency_score,
    frequency_score, monetary_score, frequency_monetary_score, segment
from standings where day = as_of();

-- segments of orders, and of customers by their first order
create or replace temp table paying_orders as
with main_kinds as (
    select order_key, arg_min(product_kind, (-amount, product_kind)) as product_kind
    from (
        select order_key, product_kind, sum(line_amount) as amount
        from by_hand.fct_order_lines where line_kind = 'product' and product_kind is not null group by all
    ) group by order_key
)

select
    order_key, customer_key, ordered_at, order_date, net_amount, is_valid, coalesce(channel, 'unknown') as channel,
    coalesce(device, 'unknown') as device, coalesce(country_code, 'unknown') as country,
    coalesce(product_kind, 'unknown') as product_kind
from by_hand.fct_orders left join main_kinds using (order_key)
where is_revenue;

create or replace temp table segments as
with firsts as (
    select customer_key, arg_min((channel, device, country, product_kind), (ordered_at, order_key)) as told
    from paying_orders where is_valid group by customer_key
)

select
    customer_key, told[1] as channel, told[2] as device, told[3] as country, told[4] as product_kind,
    'unknown' as acquisition_channel, year(first_order_date) || '-Q' || quarter(first_order_date) as acquisition_cohort,
    coalesce(before.segment, 'first_order_since') as rfm_segment,
    case when before.is_loyal then 'loyal' when before.customer_key is not null then 'other'
        else 'first_order_since' end as loyalty,
    'no_tier' as tier, now_is.is_loyal, first_order_date, second_order_date, days_since_last_order,
    days_first_to_last_order, customers.count_occasions as occasions_ever
from firsts
join by_hand.fct_customers as customers using (customer_key)
join standings as now_is on firsts.customer_key = now_is.customer_key and now_is.day = as_of()
left join standings as before on firsts.customer_key = before.customer_key and before.day < as_of();

-- what customers bought in each period and in the one before
create or replace temp table customer_periods as
with attributed as (
    select
        period_type, period_start, customer_key, count(*) as occasions, sum(count_orders) as orders,
        sum(total_net) as net, coalesce(sum(total_net) filter (where occasion_number > 1), 0) as net_repeat,
        coalesce(sum(count_orders) filter (where occasion_number > 1), 0) as orders_repeat,
        coalesce(sum(count_full_price_orders) filter (where occasion_number > 1), 0) as full_price_repeat
    from occasions
    cross join lateral (values
        ('month', date_trunc('month', order_date)::date),
        ('quarter', date_trunc('quarter', order_date)::date),
        ('trailing_window', case when order_date >= window_start() then window_start()
            when order_date >= window_before() then window_before() end),
        ('lifetime', date '2000-01-01')
    ) as periods (period_type, period_start)
    where period_start is not null
    group by all
),

with_before as (
    select *, 0 as occasions_before, 0 as net_before from attributed
    union all
    select
        period_type,
        case period_type when 'month' then (period_start + interval 1 month)::date
            when 'quarter' then (period_start + interval 3 month)::date else window_start() end,
        customer_key, 0, 0, 0, 0, 0, 0, occasions, net
    from attributed
    where period_type in ('month', 'quarter') or (period_type = 'trailing_window' and period_start = window_before())
),

kinds as (
    select
        customer_key, count(distinct product_kind) as lifetime_kinds,
        count(distinct product_kind) filter (where order_date >= window_start()) as window_kinds
    from by_hand.fct_order_lines
    where is_valid and line_kind = 'product' and product_kind is not null group by customer_key
),

summed as (
    select
        period_type, period_start,
        case period_type when 'month' then (period_start + interval 1 month)::date
            when 'quarter' then (period_start + interval 3 month)::date else as_of() + 1 end as period_end,
        customer_key, sum(occasions)::bigint as occasions, sum(orders)::bigint as orders, sum(net)::decimal(18, 4) as net,
        sum(net_repeat)::decimal(18, 4) as net_repeat, sum(orders_repeat)::bigint as orders_repeat,
        sum(full_price_repeat)::bigint as full_price_repeat, sum(occasions_before) > 0 as was_active,
        sum(net_before)::decimal(18, 4) as net_before
    from with_before
    group by period_type, period_start, customer_key
)

select
    summed.*, segments.* exclude (customer_key), occasions > 0 as is_active, first_order_date >= period_start as is_first,
    case period_type when 'lifetime' then lifetime_kinds when 'trailing_window' then window_kinds else 0 end as kinds,
    case when occasions > 0 then period_end - greatest(first_order_date, period_start) else 0 end as days,
    as_of() - first_order_date > 97 as is_window_closed,
    coalesce(second_order_date - first_order_date <= 90, false) as is_back
from summed
join segments using (customer_key)
left join kinds using (customer_key)
where period_end <= as_of() + 1 and not (period_type = 'trailing_window' and period_start = window_before());

update customer_periods set days = as_of() + 1 - first_order_date where period_type = 'lifetime';

create or replace temp macro product(x, y) as x::decimal(28, 4) * y::decimal(28, 4);
create or replace temp table customer_sums as
select
    period_type, period_start,
    case when grouping(channel) = 0 then 'channel' when grouping(device) = 0 then 'device'
        when grouping(country) = 0 then 'country' when grouping(product_kind) = 0 then 'product_kind'
        when grouping(acquisition_channel) = 0 then 'acquisition_channel'
        when grouping(acquisition_cohort) = 0 then 'acquisition_cohort'
        when grouping(rfm_segment) = 0 then 'rfm_segment' when grouping(loyalty) = 0 then 'loyalty'
        when grouping(tier) = 0 then 'tier' else 'all' end as segment_type,
    coalesce(channel, device, country, product_kind, acquisition_channel, acquisition_cohort, rfm_segment, loyalty, tier,
        'all') as segment,
    count(*) filter (where is_active) as active,
    count(*) filter (where is_active and is_first) as first_time,
    count(*) filter (where was_active) as before,
    count(*) filter (where is_active and was_active) as retained,
    count(*) filter (where was_active and not is_active) as lost,
    count(*) filter (where is_active and not is_first) as returned,
    count(*) filter (where is_active and not is_first and not was_active) as reactivated,
    count(*) filter (where is_active and occasions_ever >= 2) as repeaters,
    count(*) filter (where is_active and is_first and is_window_closed) as closed,
    count(*) filter (where is_active and is_first and is_window_closed and is_back) as back,
    count(*) filter (where kinds = 1) as one_kind, count(*) filter (where kinds >= 2) as several_kinds,
    count(*) filter (where is_active and is_loyal) as loyal,
    count(*) filter (where loyalty = 'loyal') as loyal_before,
    count(*) filter (where loyalty = 'other' and was_active) as other_before,
    sum(occasions) as occasions, sum(product(occasions, occasions)) as occasions_2,
    sum(days) as days, sum(product(days, days)) as days_2, sum(product(occasions, days)) as occasions_days,
    sum(net) as net, sum(product(net, net)) as net_2,
    coalesce(sum(net) filter (where loyalty = 'loyal'), 0) as net_loyal,
    coalesce(sum(product(net, net)) filter (where loyalty = 'loyal'), 0) as net_loyal_2,
    coalesce(sum(net) filter (where loyalty = 'other' and was_active), 0) as net_other,
    coalesce(sum(product(net, net)) filter (where loyalty = 'other' and was_active), 0) as net_other_2,
    coalesce(sum(days_since_last_order) filter (where is_active), 0) as silent,
    coalesce(sum(product(days_since_last_order, days_since_last_order)) filter (where is_active), 0) as silent_2,
    coalesce(sum(days_first_to_last_order) filter (where is_active and occasions_ever >= 2), 0) as buying,
    coalesce(sum(product(days_first_to_last_order, days_first_to_last_order)) filter (where is_active and occasions_ever >= 2), 0) as buying_2,
    sum(net_before) as net_before, sum(product(net_before, net_before)) as net_before_2,
    sum(net_before - case when was_active then net else 0 end) as net_lost,
    sum(product(net_before - case when was_active then net else 0 end,
        net_before - case when was_active then net else 0 end)) as net_lost_2,
    sum(product(net_before - case when was_active then net else 0 end, net_before)) as net_lost_before,
    sum(net_repeat) as net_repeat, sum(product(net_repeat, net_repeat)) as net_repeat_2,
    sum(product(net_repeat, net)) as net_repeat_net,
    sum(orders_repeat) as orders_repeat, sum(product(orders_repeat, orders_repeat)) as orders_repeat_2,
    sum(full_price_repeat) as full_price, sum(product(full_price_repeat, full_price_repeat)) as full_price_2,
    sum(product(full_price_repeat, orders_repeat)) as full_price_orders,
    coalesce(sum(net) filter (where is_first), 0) as net_first, coalesce(sum(product(net, net)) filter (where is_first), 0) as net_first_2,
    coalesce(sum(days) filter (where is_first), 0) as days_first, coalesce(sum(product(days, days)) filter (where is_first), 0) as days_first_2,
    coalesce(sum(product(net, days)) filter (where is_first), 0) as net_days_first
from customer_periods
group by grouping sets (
    (period_type, period_start), (period_type, period_start, channel), (period_type, period_start, device),
    (period_type, period_start, country), (period_type, period_start, product_kind),
    (period_type, period_start, acquisition_channel), (period_type, period_start, acquisition_cohort),
    (period_type, period_start, rfm_segment), (period_type, period_start, loyalty), (period_type, period_start, tier)
);

create or replace temp table order_sums as
with attributed as (
    select orders.*, period_type, period_start
    from paying_orders as orders
    cross join lateral (values
        ('day', order_date),
        ('month', date_trunc('month', order_date)::date),
        ('quarter', date_trunc('quarter', order_date)::date),
        ('trailing_window', case when order_date >= window_start() then window_start() end),
        ('lifetime', date '2000-01-01')
    ) as periods (period_type, period_start)
    where net_amount > 0 and case period_type
        when 'month' then last_day(order_date) <= as_of()
        when 'quarter' then (period_start + interval 3 month) <= as_of() + 1
        when 'day' then order_date >= (select min(order_date) from occasions)
        else period_start is not null
    end
)

select
    period_type, period_start,
    case when grouping(channel) = 0 then 'channel' when grouping(device) = 0 then 'device'
        when grouping(country) = 0 then 'country' when grouping(product_kind) = 0 then 'product_kind'
        else 'all' end as segment_type,
    coalesce(channel, device, country, product_kind, 'all') as segment,
    count(*) as orders, count(distinct customer_key) as customers, sum(net_amount) as net,
    sum(product(net_amount, net_amount)) as net_2
from attributed
group by grouping sets (
    (period_type, period_start), (period_type, period_start, channel), (period_type, period_start, device),
    (period_type, period_start, country), (period_type, period_start, product_kind)
);

-- the metrics: numerator, denominator, value, interval and base of each
create or replace table by_hand.loyalty_metrics as
with told as (
    select
        sums.period_type, period_start, segment_type, segment, metric, method, k, n, count_base, factor, yy, xx, yx
    from customer_sums as sums
    cross join lateral (values
        ('repeat_purchase_rate', 'share', repeaters, active, active, 1, null, null, null),
        ('repeat_purchase_rate_within_window', 'share', back, closed, closed, 1, null, null, null),
        ('multi_kind_share', 'share', several_kinds, one_kind + several_kinds, one_kind + several_kinds, 1, null, null, null),
        ('upsell_ratio', 'odds', several_kinds, one_kind, one_kind + several_kinds, 1, null, null, null),
        ('retention_rate', 'share', retained, before, before, 1, null, null, null),
        ('retention_rate_classic', 'share', returned, before, before, 1, null, null, null),
        ('reactivated_customer_share', 'share', reactivated, active, active, 1, null, null, null),
        ('churn_rate', 'share', lost, before, before, 1, null, null, null),
        ('loyal_share', 'share', loyal, active, active, 1, null, null, null),
        ('purchase_frequency', 'mean', occasions, active, active, 1, occasions_2, null, null),
        ('purchase_frequency_per_year', 'ratio', occasions, days, active, 365, occasions_2, days_2, occasions_days),
        ('revenue_churn_rate', 'ratio', net_lost, net_before, before, 1, net_lost_2, net_before_2, net_lost_before),
        ('mean_days_since_last_order', 'mean', silent, active, active, 1, silent_2, null, null),
        ('mean_days_buying', 'mean', buying, repeaters, repeaters, 1, buying_2, null, null),
        ('net_per_active_customer', 'mean', net, active, active, 1, net_2, null, null),
        ('loyal_customer_spend', 'mean', net_loyal, loyal_before, loyal_before, 1, net_loyal_2, null, null),
        ('other_customer_spend', 'mean', net_other, other_before, other_before, 1, net_other_2, null, null),
        ('first_year_customer_spend', 'ratio', net_first, days_first, first_time, 365, net_first_2, days_first_2,
            net_days_first),
        ('repeat_revenue_share', 'ratio', net_repeat, net, active, 1, net_repeat_2, net_2, net_repeat_net),
        ('full_price_repeat_share', 'ratio', full_price, orders_repeat, active, 1, full_price_2, orders_repeat_2,
            full_price_orders)
    ) as metrics (metric, method, k, n, count_base, factor, yy, xx, yx)
    union all
    select
        period_type, period_start, segment_type, segment, 'average_order_value', 'mean', net, orders, customers, 1, net_2,
        null, null
    from order_sums
),

asked as (
    select metric, unnest(string_split(period_types, ' ')) as period_type, segment_types
    from (values
        ('repeat_purchase_rate', 'lifetime', 'stays'), ('repeat_purchase_rate_within_window', 'month quarter lifetime', 'stays'),
        ('multi_kind_share', 'trailing_window lifetime', 'every'), ('upsell_ratio', 'trailing_window lifetime', 'every'),
        ('retention_rate', 'month quarter trailing_window', 'every'),
        ('retention_rate_classic', 'month quarter trailing_window', 'every'),
        ('reactivated_customer_share', 'month quarter trailing_window', 'every'),
        ('churn_rate', 'month quarter trailing_window', 'every'), ('loyal_share', 'trailing_window', 'stays'),
        ('purchase_frequency', 'trailing_window', 'every'), ('purchase_frequency_per_year', 'trailing_window', 'every'),
        ('revenue_churn_rate', 'month quarter trailing_window', 'every'),
        ('mean_days_since_last_order', 'lifetime', 'stays'), ('mean_days_buying', 'lifetime', 'stays'),
        ('net_per_active_customer', 'month quarter trailing_window', 'every'),
        ('loyal_customer_spend', 'trailing_window', 'stays'), ('other_customer_spend', 'trailing_window', 'stays'),
        ('first_year_customer_spend', 'trailing_window', 'stays'),
        ('repeat_revenue_share', 'month quarter trailing_window lifetime', 'every'),
        ('full_price_repeat_share', 'month quarter trailing_window lifetime', 'every'),
        ('average_order_value', 'day month quarter trailing_window lifetime', 'every')
    ) as given (metric, period_types, segment_types)
),

chosen as (
    select told.*, n as d, k / nullif(n, 0)::double as simple
    from told join asked using (metric, period_type)
    where
        (n > 0 or segment_type = 'all') and (period_type <> 'day' or segment_type = 'all')
        and (
            segment_type not in ('rfm_segment', 'loyalty', 'tier')
            or (period_type = 'trailing_window' and segment_types = 'every')
        )
)

select
    metric, segment_type, segment, period_type,
    case when period_type = 'lifetime' then (select min(order_date) from occasions) else period_start end as period_start,
    k::decimal(18, 4) as numerator, n::decimal(18, 4) as denominator, factor * simple as metric_value,
    factor * case method
        when 'share' then bound_of_share(k, n, -1) when 'mean' then bound_of_mean(n, k, yy, -1)
        when 'ratio' then bound_of_ratio(count_base, k, n, yy, xx, yx, -1)
        when 'odds' then case when n > 0 then bound_of_share(k, k + n, -1) / nullif(1 - bound_of_share(k, k + n, -1), 0) end
    end as ci_low,
    factor * case method
        when 'share' then bound_of_share(k, n, 1) when 'mean' then bound_of_mean(n, k, yy, 1)
        when 'ratio' then bound_of_ratio(count_base, k, n, yy, xx, yx, 1)
        when 'odds' then case when n > 0 then bound_of_share(k, k + n, 1) / nullif(1 - bound_of_share(k, k + n, 1), 0) end
    end as ci_high,
    count_base::bigint as count_customers
from chosen;
