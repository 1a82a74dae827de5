"""Each customer's own rhythm: the gap between orders to expect, and by how much it is exceeded.

Belongs here: own gaps shrunk to the population's. Not here: whether somebody has left (`trees.py`), the life cycle that
marts count by medians (`dbt_models`, M36): there the gap is the one known at the last purchase.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.purchase_history import OCCASIONS

PRIOR_GAPS = 3.0
"""Gaps that the population's is worth: `definitions.gap_prior_weight`, the same as for the life cycle."""

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


@dataclass(frozen=True)
class Rhythm:
    """The gaps of one evening.

    Attributes:
        mean_gap_days: mean gap between occasions over all customers' gaps; NaN where nobody has ordered twice.
        prior_gaps: how many own gaps it is worth.
    """

    mean_gap_days: float
    prior_gaps: float = PRIOR_GAPS

    @classmethod
    def of(cls, features: pd.DataFrame, prior_gaps: float = PRIOR_GAPS) -> Rhythm:
        """The rhythm of some customers.

        Args:
            features: rows of `customer_features` at one cut-off.
            prior_gaps: how many own gaps the population's is worth, at least 0.
        """
        gaps, days = (int(features[name].sum()) for name in ("count_repeat_occasions", "days_first_to_last_order"))
        return cls(days / gaps if gaps else float("nan"), prior_gaps)

    def usual_gap_days(self, features: pd.DataFrame) -> FloatArray:
        """Days between orders to expect of each customer, own gaps shrunk to all customers', shape (n,).

        Args:
            features: rows of `customer_features`.

        Returns:
            (sum of own gaps + k mean gap) / (count of own gaps + k); NaN where nobody has ordered twice.
        """
        gaps = features["count_repeat_occasions"].to_numpy(dtype=np.float64)
        days = features["days_first_to_last_order"].to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            shrunk = (days + self.prior_gaps * self.mean_gap_days) / (gaps + self.prior_gaps)
        return np.asarray(shrunk, dtype=np.float64)

    def gap_multiple(self, features: pd.DataFrame) -> FloatArray:
        """Days since the last order over the usual gap, shape (n,); above 1 is overdue.

        Args:
            features: rows of `customer_features`.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            return days_since_last_order(features) / self.usual_gap_days(features)


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


def days_since_last_order(features: pd.DataFrame) -> FloatArray:
    """Days from the last order to the cut-off, shape (n,).

    Args:
        features: rows of `customer_features`.
    """
    since = features["days_observed"] - features["days_first_to_last_order"]
    return np.asarray(since, dtype=np.float64)
