"""The fits of an evening by the shop's own clock, from a bounded part of the repeats.

Belongs here: how much is read of the shop's orders where the season is asked for on many evenings. What the clock is:
`level/`; the night's own value, which reads more: `value.py`.
"""

from __future__ import annotations

import datetime as dt

import duckdb
import pandas as pd

from dagster_project.modelling.fits import Fits, levelled
from dagster_project.modelling.level.activity import repeat_activity

MAXIMUM_REPEATS, MAXIMUM_ROUNDS = 12_000, 4
"""What the season and level of an evening are read from, and how often clock and model are fitted in turn. On the
built-in shop the factor of 90 days came out at 0.81 in 0.5 s of CPU; with 100,000 repeats and 12 rounds, as the night's
own value is, at 0.79 in 2.5 s."""


def by_own_clock(
    connection: duckdb.DuckDBPyConnection,
    evening: dt.date,
    fits: Fits,
    features: pd.DataFrame,
    *,
    counts_zero_value_orders: bool = False,
) -> Fits:
    """The same fits with the season and level of the shop's orders; the calendar's where the shop is too young.

    Args:
        connection: as in `customer_features`.
        evening: the cut-off.
        fits: of the evening.
        features: rows of `customer_features` on it, that the purchase models were fitted to.
        counts_zero_value_orders: as in `customer_features`.
    """
    activity = repeat_activity(
        connection, evening, counts_zero_value_orders=counts_zero_value_orders, maximum_repeats=MAXIMUM_REPEATS
    )
    return levelled(fits, activity, features, MAXIMUM_ROUNDS)
