"""What a fit reads of all customers, aggregated inside the engine: distinct histories with counts.

Belongs here: the further reduction of purchase histories, so that no process holds all customers for a fit. One row per
customer, for predictions: `purchase_history.py`, whose definition of a purchase this shares.

A fit needs to know how many customers share a history, not who they are. Whole days make few histories: the ten million
customers of the speed benchmark have 4.4 million, most shops have far fewer.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal, TypeAlias

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.purchase_history import HISTORIES, OCCASIONS

SpendOf: TypeAlias = Literal["repeats", "all_purchases"]

_DISTINCT = """
-- Grain: one distinct history
select
    count_repeat_occasions,
    days_first_to_last_order,
    days_observed,
    count(*)::bigint as count_customers
from histories
group by all
order by all
"""

_SPEND = """
-- Grain: one distinct pair of a number of purchases with spend and their mean
select
    {count} as count_occasions,
    {mean} as mean_net,
    count(*)::bigint as count_customers
from histories_valued
where {count} > 0
group by all
order by all
"""
_SPEND_COLUMNS: dict[SpendOf, tuple[str, str]] = {
    "repeats": ("count_repeat_occasions_with_spend", "mean_repeat_occasion_net"),
    "all_purchases": ("count_occasions_with_spend", "mean_occasion_net"),
}

_GAPS = """,
gaps as (
    select date_diff('day', lag(occasion_date) over customer, occasion_date) as gap_days
    from occasions
    window customer as (partition by customer_key order by occasion_date)
)
-- Grain: one length of a gap between purchase occasions of one customer
select gap_days, count(*)::bigint as count_gaps
from gaps
where gap_days is not null
group by gap_days
order by gap_days
"""


def history_statistics(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, *, counts_zero_value_orders: bool = False
) -> pd.DataFrame:
    """The distinct histories of all customers with a purchase up to and including the as-of day, in whole days.

    Args:
        connection: as in `purchase_history`.
        as_of: as in `purchase_history`.
        counts_zero_value_orders: as in `purchase_history`.

    Returns:
        count_repeat_occasions, days_first_to_last_order, days_observed, count_customers (from 1), in the order in which
        the models' `fit` takes them; sorted. No customers: no rows.
    """
    settings = {"cutoff": as_of, "counts_zero_value_orders": counts_zero_value_orders}
    return connection.execute(OCCASIONS + HISTORIES + _DISTINCT, settings).df()


def spend_statistics(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, of: SpendOf, *, counts_zero_value_orders: bool = False
) -> pd.DataFrame:
    """How often customers bought with spend, and their mean.

    Args:
        connection: as in `purchase_history`.
        as_of: as in `purchase_history`.
        of: whether the first purchase counts: `repeats` or `all_purchases`.
        counts_zero_value_orders: as in `purchase_history`.

    Returns:
        count_occasions (from 1), mean_net (above 0), count_customers (from 1), in the order in which `GammaGamma.fit`
        takes them; sorted. Customers without spend are left out.
    """
    count, mean = _SPEND_COLUMNS[of]
    settings = {"cutoff": as_of, "counts_zero_value_orders": counts_zero_value_orders}
    return connection.execute(OCCASIONS + HISTORIES + _SPEND.format(count=count, mean=mean), settings).df()


def total_log_gap_days(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, *, counts_zero_value_orders: bool = False
) -> float:
    """The sum over all customers' gaps between purchase occasions of log(days): what the choice of CNBD-k's k needs.

    Args:
        connection: as in `purchase_history`.
        as_of: as in `purchase_history`.
        counts_zero_value_orders: as in `purchase_history`.

    Returns:
        The sum, 0 without a gap. The engine counts gaps by their length, so that it does not depend on its threads.
    """
    settings = {"cutoff": as_of, "counts_zero_value_orders": counts_zero_value_orders}
    found = connection.execute(OCCASIONS + _GAPS, settings).df()
    return float(found["count_gaps"].to_numpy(dtype=np.float64) @ np.log(found["gap_days"].to_numpy(dtype=np.float64)))
