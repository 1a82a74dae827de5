"""How long a customer usually waits between purchases: their own gaps, shrunk to everybody's.

Belongs here: the moments of all gaps, aggregated by the engine, and one customer's rhythm given them. What follows for
the next order: `next_order.py`.

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
        date_diff('day', max(occasion_date), $cutoff::date)::bigint as days_since_last_order,
        coalesce(sum(log_gap), 0)::double / 1e9 as total_log_gap,
        coalesce(sum(log_gap * log_gap), 0)::double / 1e18 as total_squared_log_gap
    from gaps
    group by customer_key
)
"""
)
_MOMENTS = """
select
    count(*) filter (where count_repeat_occasions >= 1) as count_customers,
    count(*) filter (where count_repeat_occasions >= 2) as count_with_two,
    sum(count_repeat_occasions) as count_gaps,
    sum(count_repeat_occasions * count_repeat_occasions) as count_squares,
    sum(round(total_log_gap * 1e9)::hugeint)::double / 1e9 as total,
    sum(round(total_squared_log_gap * 1e9)::hugeint)::double / 1e9 as total_squares,
    sum(round(total_log_gap * total_log_gap / nullif(count_repeat_occasions, 0) * 1e9)::hugeint)::double / 1e9
        as total_of_means
from histories
"""

_BY_COUNT = """
select
    count_repeat_occasions::double as count_gaps,
    count(*)::double as count_customers,
    sum(round(total_log_gap * 1e9)::hugeint)::double / 1e9 as total
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
    def of(
        cls, connection: duckdb.DuckDBPyConnection, cutoff: dt.date, *, counts_zero_value_orders: bool = False
    ) -> Rhythm | None:
        """The rhythm of a shop; None where too few customers have two gaps, or all gaps are alike.

        Args:
            connection: as in `purchase_history`.
            cutoff: the last day seen.
            counts_zero_value_orders: as in `purchase_history`.
        """
        given = {"cutoff": cutoff, "counts_zero_value_orders": counts_zero_value_orders}
        [found] = connection.execute(HISTORIES + _MOMENTS, given).fetchall()
        customers, with_two, gaps, squares, total, total_squares, of_means = (float(one or 0) for one in found)
        if with_two < MINIMUM_CUSTOMERS or gaps <= customers:
            return None
        within = (total_squares - of_means) / (gaps - customers)
        if within <= 0:
            return None
        usual_count = (gaps - squares / gaps) / (customers - 1)
        of_customers = (of_means - total * total / gaps) / (customers - 1)
        between = max((of_customers - within) / usual_count, 0.0)
        by_count = connection.execute(HISTORIES + _BY_COUNT, given).df().to_numpy(dtype=np.float64)
        weight = 1 / (between + within / by_count[:, 0])
        mean = (weight @ (by_count[:, 2] / by_count[:, 0])) / (weight @ by_count[:, 1])
        return cls(float(mean), within, between)

    def of_customers(self, histories: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the log of each customer's next gap, shape (n,) each.

        Args:
            histories: rows of `HISTORIES`.
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
            histories: rows of `HISTORIES`.
            shares: of the chance of ordering within the horizon, above 0 and below 1, shape (k,).
            horizon_days: days ahead.
        """
        mean, spread = (one[:, None] for one in self.of_customers(histories))
        waited = np.maximum(histories["days_since_last_order"].to_numpy(dtype=np.float64), 0.5)[:, None]
        # by the upper tail, which keeps its digits when somebody has waited for long
        begins, ends = (ndtr((mean - np.log(days)) / spread) for days in (waited, waited + horizon_days))
        reached = begins - shares * (begins - ends)
        with np.errstate(over="ignore", invalid="ignore"):
            days = np.exp(mean - spread * ndtri(reached)) - waited
        evenly = shares * horizon_days
        return np.asarray(np.where(begins - ends > 1e-12, np.clip(days, 0, horizon_days), evenly), dtype=np.float64)
