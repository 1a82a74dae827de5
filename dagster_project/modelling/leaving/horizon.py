"""The horizon that leaving is asked of, where a shop leaves it to its own gaps between orders.

Belongs here: the days. What a customer's own gap is: `modelling/rhythm.py`.
"""

from __future__ import annotations

import datetime as dt

import duckdb

from dagster_project.modelling.purchase_history import OCCASIONS

OWN_HORIZON_SHARE = 0.8
"""A horizon of the shop's own rhythm: four gaps in five are over by then, so whoever is still away is unusual."""
SHORTEST_HORIZON_DAYS = 7
"""A shorter horizon is a matter of weekdays."""
_GAPS = """
select quantile_disc(gap_days, $share) from (
    select date_diff('day', lag(occasion_date) over (partition by customer_key order by occasion_date), occasion_date)
        as gap_days
    from occasions
)
"""


def own_horizon_days(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, default_days: int, *, counts_zero_value_orders: bool = False
) -> int:
    """The horizon of the shop's own rhythm: the gap between occasions that four in five do not exceed, at least a week.

    Args:
        connection: as in `purchase_history`.
        as_of: the night.
        default_days: where nobody has ordered twice.
        counts_zero_value_orders: as in `purchase_history`.
    """
    asked = {"cutoff": as_of, "share": OWN_HORIZON_SHARE, "counts_zero_value_orders": counts_zero_value_orders}
    [(days,)] = connection.execute(OCCASIONS + _GAPS, asked).fetchall()
    return default_days if days is None else max(int(days), SHORTEST_HORIZON_DAYS)
