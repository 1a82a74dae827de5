"""Buying histories out of the marts: one row per customer, as of the end of a business day.

Belongs here: which orders count as purchases, and their reduction to one row per customer, as set work in SQL. Their
further reduction to what a fit reads: `history_statistics.py`. Reads
`marts.fct_orders(order_key, customer_key, order_date, gross_amount, exclusion_reason)` and
`marts.fct_refunds(refund_key, order_key, refund_date, refund_amount)`, and nothing that came after the cut-off.

An order counts when it has a customer, no reason to be excluded, and money left after the refunds known at the
cut-off. The marts' reason `fully_refunded` is of their own night, so it is decided here again: an order refunded in
June was a purchase in May. All counted orders of one customer and day are one purchase occasion.
"""

from __future__ import annotations

import datetime as dt

import duckdb
import pandas as pd

OCCASIONS = """
with refunds_known as (
    select order_key, sum(refund_amount) as total_refunded
    from marts.fct_refunds
    where refund_date <= $cutoff and order_key is not null
    group by order_key
),
-- Grain: one order that counts as a purchase
orders_counted as (
    select
        orders.customer_key,
        orders.order_date,
        orders.exclusion_reason is not distinct from 'zero_value' as is_zero_value,
        orders.gross_amount - coalesce(refunds_known.total_refunded, 0) as net_amount
    from marts.fct_orders as orders
    left join refunds_known on orders.order_key = refunds_known.order_key
    where orders.customer_key is not null
        and orders.order_date <= $cutoff
        and (
            coalesce(orders.exclusion_reason, 'fully_refunded') = 'fully_refunded'
            or ($counts_zero_value_orders and orders.exclusion_reason = 'zero_value')
        )
),
-- Grain: one customer and business date with a purchase
occasions as (
    select
        customer_key,
        order_date as occasion_date,
        sum(case when is_zero_value then 0 else net_amount end) as occasion_net
    from orders_counted
    where is_zero_value or net_amount > 0
    group by customer_key, order_date
)
"""

# the first occasion's net is taken by arg_min and subtracted: a window over all occasions would sort them
HISTORIES = """,
-- Grain: one customer with a purchase up to the cut-off
histories as (
    select
        customer_key,
        min(occasion_date) as first_order_date,
        max(occasion_date) as last_order_date,
        (count(*) - 1)::bigint as count_repeat_occasions,
        date_diff('day', min(occasion_date), max(occasion_date))::bigint as days_first_to_last_order,
        date_diff('day', min(occasion_date), $cutoff::date)::bigint as days_observed,
        sum(occasion_net) as total_net,
        greatest(arg_min(occasion_net, occasion_date), 0) as first_net,
        (count(*) filter (where occasion_net > 0))::bigint as count_occasions_with_spend
    from occasions
    group by customer_key
),
-- Grain: the same; what a spend model reads, of all occasions and of repeats
histories_valued as (
    select
        *,
        total_net::double / nullif(count_occasions_with_spend, 0) as mean_occasion_net,
        count_occasions_with_spend - (first_net > 0)::bigint as count_repeat_occasions_with_spend,
        (total_net - first_net)::double
            / nullif(count_occasions_with_spend - (first_net > 0)::bigint, 0) as mean_repeat_occasion_net
    from histories
)
"""

_HISTORY = """
select
    customer_key,
    date_trunc('month', first_order_date)::date as cohort_month,
    first_order_date,
    last_order_date,
    count_repeat_occasions,
    days_first_to_last_order,
    days_observed,
    total_net::double as total_net,
    mean_occasion_net,
    count_repeat_occasions_with_spend,
    mean_repeat_occasion_net
from histories_valued
order by customer_key
"""


def purchase_history(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, *, counts_zero_value_orders: bool = False
) -> pd.DataFrame:
    """One row per customer with a purchase up to and including the as-of day, ordered by customer_key.

    Args:
        connection: a connection that sees `marts.fct_orders` and `marts.fct_refunds`.
        as_of: the last business day that is seen, whole; refunds after it are unknown.
        counts_zero_value_orders: whether orders excluded as `zero_value` are occasions too, with a net of 0. The
            published CDNOW fits count them.

    Returns:
        customer_key, cohort_month (first of the month of the first order), first_order_date, last_order_date,
        count_repeat_occasions (from 0), days_first_to_last_order (0 exactly where nothing is repeated),
        days_observed (first order to as-of, at least days_first_to_last_order), total_net, mean_occasion_net (over
        occasions with net > 0, NaN when none), count_repeat_occasions_with_spend, mean_repeat_occasion_net (over
        those, NaN when none). Amounts are floats; they were summed as decimals. No customers: no rows, same types.
    """
    settings = {"cutoff": as_of, "counts_zero_value_orders": counts_zero_value_orders}
    return connection.execute(OCCASIONS + HISTORIES + _HISTORY, settings).df()
