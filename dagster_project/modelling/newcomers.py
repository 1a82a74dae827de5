"""Customers still to come: how many, and what they order and spend within a horizon.

Belongs here: the forecast of first orders by level, trend and season, and what a customer brings by age. Those who have
come already: `value.py`; both together: `forecast.py`.

First orders by fortnight are compared with a trend through the last year: its mean, rising as half of what it rose over
the year before (a damped trend; Gardner and McKenzie 1985). What is left is told apart into season, level and shocks by
`level.variation`. A customer who comes within the horizon has the rest of it to order again: the mean orders and net of
customers so far by age, each age over all who have reached it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.intervals.totals import CommonError
from dagster_project.modelling.level.foreseen import MINIMUM_HISTORY_DAYS, MINIMUM_REPEATS, Foreseen
from dagster_project.modelling.level.spend import SPEND_PARTS
from dagster_project.modelling.level.variation import Moments, told_apart
from dagster_project.modelling.purchase_history import OCCASIONS
from dagster_project.modelling.scope import EVERYTHING, Scope

PERIOD_DAYS = 14
YEAR_DAYS = 365
RECENT_DAYS = 90
"""Of a shop younger than a year: its first orders go on as in these days."""
TREND_KEPT = 0.5
STEEPEST = float(np.log(2))
"""Of the log of the trend over a year: twice or half."""
FURTHEST_FACTOR = 1_000.0
"""A total is drawn up to so many times what is expected: a shop that stopped all at once may bring anything, and the
tails of its error are beyond what can be counted."""
FEWEST = 0.5
"""First orders that a fortnight without any counts as, so that it has a logarithm."""

_FIRSTS = (
    OCCASIONS
    + """
-- Grain: one day with first orders
select date_diff('day', first_date, $cutoff::date) as days_before, count(*) as count_customers
from (
    select customer_key, min(occasion_date) as first_date
    from occasions
    where md5(customer_key) <= $last_md5
    group by customer_key
) as buyers
group by all
order by all
"""
)
# net in whole hundred-thousandths: whole numbers sum to the same in any order
_AGES = (
    OCCASIONS
    + """,
buyers as (
    select *, min(occasion_date) over (partition by customer_key) as first_date
    from occasions
    where md5(customer_key) <= $last_md5
)
-- Grain: one age in days
select
    date_diff('day', first_date, occasion_date) as age_days,
    count(*)::double as count_orders,
    sum(cast(occasion_net as decimal(38, 5)))::double as total_net,
    sum(cast(cast(occasion_net as double) ** 2 as decimal(38, 5)))::double as total_squared_net
from buyers
group by all
order by all
"""
)


@dataclass(frozen=True)
class Newcomers:
    """What is known of customers still to come.

    Attributes:
        rate: first orders a day, in the mean of the last year (of the last 90 days of a younger shop).
        trend: of the log of the rate, a year.
        foreseen: season and level around it.
        orders_by_age: mean orders of a customer up to each age from 0 days, the first included, rising.
        net_by_age: mean net up to each age.
        net_spread: variance of the net of one order over its squared mean.
    """

    rate: float
    trend: float
    foreseen: Foreseen
    orders_by_age: FloatArray
    net_by_age: FloatArray
    net_spread: float

    @classmethod
    def of(
        cls,
        connection: duckdb.DuckDBPyConnection,
        cutoff: dt.date,
        longest_days: int,
        scope: Scope = EVERYTHING,
    ) -> Newcomers | None:
        """What a shop says of them; None before its first order.

        Args:
            connection: as in `purchase_history`.
            cutoff: the last day seen.
            longest_days: horizon.
            scope: as in `customer_features`: only customers of its share are counted, and come.
        """
        given = {"cutoff": cutoff} | scope.parameters()
        before, count = connection.execute(_FIRSTS, given).df().to_numpy(dtype=np.float64).T
        if not before.size:
            return None
        ages, ordered, spent, squared = connection.execute(_AGES, given).df().to_numpy(dtype=np.float64).T
        rate, trend, foreseen = _first_orders(before, count)
        reached = np.array([count[before >= age].sum() for age in range(longest_days)])
        mean, square = float(spent.sum() / ordered.sum()), float(squared.sum() / ordered.sum())
        spread = max(square / mean**2 - 1, 0.0) if mean > 0 else 0.0
        orders_by_age, net_by_age = (_by_age(ages, totals, reached) for totals in (ordered, spent))
        return cls(rate, trend, foreseen, orders_by_age, net_by_age, spread)

    def expected(self, horizon_days: int) -> tuple[float, float, float]:
        """Customers, orders and net within a horizon.

        Args:
            horizon_days: at most `longest_days`.
        """
        steps = np.arange(horizon_days)
        coming = self.rate * np.exp(self.trend * (steps + YEAR_DAYS / 2) / YEAR_DAYS)
        # one factor up to the horizon: within it the season is spread as the trend is
        coming *= float(self.foreseen.factor(float(horizon_days)))
        left = horizon_days - 1 - steps
        return float(coming.sum()), float(coming @ self.orders_by_age[left]), float(coming @ self.net_by_age[left])

    def draws(self, horizon_days: int, rng: np.random.Generator, count: int) -> tuple[FloatArray, FloatArray]:
        """Draws of orders and of net within a horizon, shape (count,) each.

        Args:
            horizon_days: at most `longest_days`.
            rng: seeded by the caller.
            count: draws.
        """
        customers, orders, net = self.expected(horizon_days)
        factor = CommonError.of(float(self.foreseen.log_error(float(horizon_days)))).factors(rng, count)
        factor = np.clip(factor, 1 / FURTHEST_FACTOR, FURTHEST_FACTOR)
        came = rng.poisson(customers * factor).astype(np.float64)
        again = rng.poisson(came * max(orders / max(customers, 1e-9) - 1, 0.0))
        ordered = came + again
        shape = np.maximum(ordered, 1e-9) / max(self.net_spread, 1e-9)
        spent = rng.gamma(shape, net / max(orders, 1e-9) * max(self.net_spread, 1e-9))
        return ordered, np.where(ordered > 0, spent, 0.0)


def _first_orders(days_before: FloatArray, count: FloatArray) -> tuple[float, float, Foreseen]:
    """Rate, trend, and season and level around them."""
    history_days = float(days_before.max())
    if history_days < MINIMUM_HISTORY_DAYS or count.sum() < MINIMUM_REPEATS:
        span = min(RECENT_DAYS, history_days + 1)
        reason = f"the shop has {history_days:.0f} days of history and {count.sum():.0f} customers"
        needed = f"a season of first orders needs {MINIMUM_HISTORY_DAYS} days and {MINIMUM_REPEATS} customers"
        return float(count[days_before < span].sum() / span), 0.0, Foreseen.gated(f"{reason}; {needed}", history_days)
    last, earlier = (
        count[(days_before >= start) & (days_before < start + YEAR_DAYS)].sum() for start in (0, YEAR_DAYS)
    )
    has_two_years = history_days >= 2 * YEAR_DAYS and last > 0 and earlier > 0
    trend = TREND_KEPT * float(np.clip(np.log(last / earlier), -STEEPEST, STEEPEST)) if has_two_years else 0.0
    rate = float(last) / YEAR_DAYS
    count_periods = int(history_days // PERIOD_DAYS)
    period = (days_before // PERIOD_DAYS).astype(np.int64)
    seen = np.bincount(period, weights=count, minlength=count_periods)[:count_periods]
    middle = np.asarray(-PERIOD_DAYS * (np.arange(count_periods) + 0.5), dtype=np.float64)
    usual = max(rate, 1e-9) * PERIOD_DAYS * np.exp(trend * (middle + YEAR_DAYS / 2) / YEAR_DAYS)
    kept = np.maximum(seen, FEWEST)
    nowhere = np.zeros(count_periods)
    parts = told_apart(Moments(middle, nowhere, nowhere), np.log(kept / usual), 1 / kept, SPEND_PARTS)
    return rate, trend, Foreseen.of(parts)


def _by_age(ages: FloatArray, totals: FloatArray, reached: FloatArray) -> FloatArray:
    """Sum up to each age of the mean at each age, over those who have reached it; flat where nobody has."""
    at = np.zeros(reached.size)
    known = ages < reached.size
    at[ages[known].astype(np.int64)] = totals[known]
    return np.asarray(np.cumsum(np.where(reached > 0, at / np.maximum(reached, 1), 0.0)), dtype=np.float64)
