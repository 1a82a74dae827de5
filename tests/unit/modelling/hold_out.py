"""What customers bought after a cut-off, by the same occasions as histories have: the judge of what models foretold."""

from __future__ import annotations

import datetime as dt

import duckdb
import pandas as pd

from dagster_project.modelling.purchase_history import OCCASIONS

_FUTURE = """
-- Grain: one customer with a purchase in the hold-out
select customer_key, count(*)::bigint as count_occasions, sum(occasion_net)::double as total_net
from occasions
where occasion_date > $after
group by customer_key
order by customer_key
"""


def future_purchases(
    connection: duckdb.DuckDBPyConnection, after: dt.date, until: dt.date, *, counts_zero_value_orders: bool = False
) -> pd.DataFrame:
    """What each customer bought in the hold-out (after, until], by the refunds known at its end.

    Args:
        connection: a connection that sees `marts.fct_orders` and `marts.fct_refunds`.
        after: the cut-off; this day itself is still history.
        until: the last day of the hold-out, later than the cut-off.
        counts_zero_value_orders: as in `purchase_history`.

    Returns:
        customer_key, count_occasions (from 1), total_net; only customers who bought, new ones included, ordered by
        customer_key.
    """
    settings = {"cutoff": until, "after": after, "counts_zero_value_orders": counts_zero_value_orders}
    return connection.execute(OCCASIONS + _FUTURE, settings).df()
