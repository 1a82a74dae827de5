"""How long a customer usually waits between purchases: their own gaps, shrunk to everybody's.

Belongs here: the moments of all gaps, one customer's rhythm given them, and how long they have been silent against it;
the one definition of a usual gap in what the models publish. Not here: what follows for the next order
(`next_purchase/next_order.py`), whether somebody has left (`leaving/`), the life cycle that marts count by medians
(`dbt_models`, M36): there the gap is the one known at the last purchase.

The log of a gap is normal around the customer's own mean, the means are normal around the population's: the one-way
random-effects model, its variances by the method of moments (Searle, Casella and McCulloch 1992, chapter 3). The mean
of n gaps is pulled to the population's with a weight of n / (n + within / between); without a gap it is the
population's. Gaps are those that have ended: one that is still open is longer, and may never end.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.purchase_history import OCCASIONS

MINIMUM_CUSTOMERS = 30
"""With two gaps or more; fewer say nothing of how gaps of one customer differ from those of others."""

# logs in billionths: whole numbers sum to the same in any order
HISTORIES = (
    OCCASIONS
    + """,
gaps as (
    select
        customer_key,
        occasion_date,
        round(ln(date_diff('day', lag(occasion_date) over customer, occasion_date)) * 1e9)::hugeint as log_gap
    from occasions
    window customer as (partition by customer_key order by occasion_date)
),
-- Grain: one customer with a purchase up to the cut-off
histories as (
    select
        customer_key,
        min(occasion_date) as first_order_date,
        max(occasion_date) as last_order_date,
        (count(*) - 1)::bigint as count_repeat_occasions,
        date_diff('day', min(occasion_date), max(occasion_date))::bigint as days_first_to_last_order,
        date_diff('day', min(occasion_date), $cutoff::date)::bigint as days_observed,
        coalesce(sum(log_gap), 0)::double / 1e9 as total_log_gap,
        coalesce(sum(log_gap * log_gap), 0)::double / 1e18 as total_squared_log_gap
    from gaps
    group by customer_key
)
"""
)

_MOMENTS = """
-- Grain: one count of gaps that some customer has
select
    count_repeat_occasions as count_gaps,
    count(*) as count_customers,
    sum(round(total_log_gap * 1e9)::hugeint)::double / 1e9 as total,
    sum(round(total_squared_log_gap * 1e9)::hugeint)::double / 1e9 as total_squares,
    sum(round(total_log_gap * total_log_gap * 1e9)::hugeint)::double / 1e9 as total_of_squares
from histories
where count_repeat_occasions >= 1
group by count_repeat_occasions
order by count_repeat_occasions
"""


@dataclass(frozen=True)
class Rhythm:
    """What is known of gaps between purchases.

    Attributes:
        mean: of the log of a gap in days, over customers.
        within: variance of the logs of one customer's gaps, above 0.
        between: variance of customers' means, at least 0.
    """

    mean: float
    within: float
    between: float

    @classmethod
    def of_shop(
        cls, connection: duckdb.DuckDBPyConnection, cutoff: dt.date, *, counts_zero_value_orders: bool = False
    ) -> Rhythm | None:
        """The rhythm of all customers of an evening; as `of`.

        Args:
            connection: as in `purchase_history`.
            cutoff: the last day seen.
            counts_zero_value_orders: as in `purchase_history`.
        """
        given = {"cutoff": cutoff, "counts_zero_value_orders": counts_zero_value_orders}
        return cls._of_moments(connection.execute(HISTORIES + _MOMENTS, given).df())

    @classmethod
    def of(cls, customers: pd.DataFrame) -> Rhythm | None:
        """The rhythm of some customers; None where too few of them have two gaps, or all gaps are alike.

        Args:
            customers: rows of `HISTORIES`, or of `customer_features` at one cut-off.
        """
        gaps = customers["count_repeat_occasions"]
        own = customers["total_log_gap"]
        sums = pd.DataFrame({"total": own, "total_squares": customers["total_squared_log_gap"]})
        by_count = sums.assign(count_customers=1, total_of_squares=own**2).groupby(gaps.rename("count_gaps")).sum()
        return cls._of_moments(by_count.query("count_gaps >= 1").reset_index())

    @classmethod
    def _of_moments(cls, moments: pd.DataFrame) -> Rhythm | None:
        """From sums over the customers of each count of gaps."""
        columns = ("count_gaps", "count_customers", "total", "total_squares", "total_of_squares")
        count, alike, total, squares, of_squares = (moments[name].to_numpy(dtype=np.float64) for name in columns)
        customers, gaps = alike.sum(), count @ alike
        if alike[count >= 2].sum() < MINIMUM_CUSTOMERS:
            return None
        of_means = (of_squares / count).sum()
        within = (squares.sum() - of_means) / (gaps - customers)
        if within <= 0:
            return None
        usual_count = (gaps - (count**2) @ alike / gaps) / (customers - 1)
        of_customers = (of_means - total.sum() ** 2 / gaps) / (customers - 1)
        between = max((of_customers - within) / usual_count, 0.0)
        weight = 1 / (between + within / count)
        return cls(float((weight @ (total / count)) / (weight @ alike)), float(within), float(between))

    def of_customers(self, histories: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the log of each customer's next gap, shape (n,) each.

        Args:
            histories: rows of `HISTORIES` or of `customer_features`.
        """
        count = histories["count_repeat_occasions"].to_numpy(dtype=np.float64)
        own = histories["total_log_gap"].to_numpy(dtype=np.float64)
        if self.between == 0:
            return np.full(count.size, self.mean), np.full(count.size, self.within**0.5)
        precision = count / self.within + 1 / self.between
        mean = (own / self.within + self.mean / self.between) / precision
        return mean, np.sqrt(self.within + 1 / precision)

    def days_to_next(self, histories: pd.DataFrame, shares: FloatArray, horizon_days: int) -> FloatArray:
        """Days until the next order of those who order within the horizon, at shares of the chance, shape (n, k).

        Args:
            histories: rows of `HISTORIES` or of `customer_features`.
            shares: of the chance of ordering within the horizon, above 0 and below 1, shape (k,).
            horizon_days: days ahead.
        """
        mean, spread = (one[:, None] for one in self.of_customers(histories))
        waited = np.maximum(days_since_last_order(histories), 0.5)[:, None]
        # by the upper tail, which keeps its digits when somebody has waited for long
        begins, ends = (ndtr((mean - np.log(days)) / spread) for days in (waited, waited + horizon_days))
        reached = begins - shares * (begins - ends)
        with np.errstate(over="ignore", invalid="ignore"):
            days = np.exp(mean - spread * ndtri(reached)) - waited
        evenly = shares * horizon_days
        return np.asarray(np.where(begins - ends > 1e-12, np.clip(days, 0, horizon_days), evenly), dtype=np.float64)


def usual_gap_days(rhythm: Rhythm | None, histories: pd.DataFrame) -> FloatArray:
    """Days between orders to expect of each customer, half of their gaps being shorter, shape (n,).

    Args:
        rhythm: of the evening; without one nothing is usual, and all are NaN.
        histories: rows of `HISTORIES` or of `customer_features`.
    """
    if rhythm is None:
        return np.full(len(histories), np.nan)
    return np.asarray(np.exp(rhythm.of_customers(histories)[0]), dtype=np.float64)


def gap_multiple(rhythm: Rhythm | None, histories: pd.DataFrame) -> FloatArray:
    """Days since the last order over the usual gap, shape (n,); NaN without a rhythm.

    Args:
        rhythm: of the evening.
        histories: rows of `HISTORIES` or of `customer_features`.
    """
    return days_since_last_order(histories) / usual_gap_days(rhythm, histories)


def days_since_last_order(histories: pd.DataFrame) -> FloatArray:
    """Days from the last order to the cut-off, shape (n,).

    Args:
        histories: rows of `HISTORIES` or of `customer_features`.
    """
    since = histories["days_observed"] - histories["days_first_to_last_order"]
    return np.asarray(since, dtype=np.float64)
