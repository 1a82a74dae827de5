"""What customers who had bought before did in each period of the past: the evidence for season and drift.

Belongs here: set work in SQL from the marts to states and repeats by period. What counts as a purchase occasion is said
in `purchase_history.py`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.purchase_history import OCCASIONS

SHORTEST_PERIOD_DAYS = 14
"""Two whole weeks, so that no weekday is counted more often in one period than in another; with four the log of the
total missed by .29 in place of .26 on the rolling origins of Online Retail."""
MAXIMUM_PERIODS = 104
"""Four years of fortnights; a longer history has longer periods, in whole weeks. The cost grows as the third power."""
MAXIMUM_REPEATS = 100_000
"""A larger shop is read from a share of its customers: 1,000 repeats in each of 100 periods leave 3 % of noise each."""

_STATES = """,
kept as (
    select
        customer_key,
        occasion_date,
        occasion_net,
        min(occasion_date) over (partition by customer_key) as first_date,
        lead(occasion_date) over earlier_first as next_date,
        row_number() over earlier_first - 1 as count_repeats,
        sum(occasion_net) over (earlier_first rows between unbounded preceding and 1 preceding) as net_before,
        count(case when occasion_net > 0 then 1 end)
            over (earlier_first rows between unbounded preceding and 1 preceding) as count_with_spend_before
    from occasions
    where md5(customer_key) <= $last_md5
    window earlier_first as (partition by customer_key order by occasion_date)
)
"""

_EXPOSED = """,
periods as (select unnest($starts::date[]) as start_date),
-- Grain: one state and the days from which and before which customers were in it
stays as (
    select first_date, occasion_date as last_date, next_date, count_repeats, count(*) as count_customers
    from kept
    group by first_date, occasion_date, next_date, count_repeats
)
-- Grain: one period and state on the evening that it starts after
select
    date_diff('day', periods.start_date, $cutoff::date) as days_before,
    stays.count_repeats,
    date_diff('day', stays.first_date, stays.last_date) as days_to_last,
    date_diff('day', stays.first_date, periods.start_date) as days_observed,
    sum(stays.count_customers) as count_customers
from periods
inner join stays
    on periods.start_date >= stays.last_date
    and periods.start_date < coalesce(stays.next_date, $cutoff::date + 1)
group by all
order by all
"""

_BOUGHT = """,
placed as (
    select *, $period_days * (1 + date_diff('day', occasion_date, $cutoff::date) // $period_days) as days_before
    from kept
),
repeats as (
    select *, date_diff('day', first_date, $cutoff::date) as days_since_first
    from placed
    where date_diff('day', first_date, $cutoff::date) >= days_before
)
-- Grain: one period and day of first purchase
select days_before, days_since_first, count(*) as count_repeats
from repeats
group by all
order by all
"""

_SPENT = """,
placed as (
    select
        $period_days * (1 + date_diff('day', occasion_date, $cutoff::date) // $period_days) as days_before,
        ln(occasion_net) - ln(
            ($prior_occasions * $prior_mean + coalesce(net_before, 0)) / ($prior_occasions + count_with_spend_before)
        ) as log_ratio
    from kept
    where occasion_date > first_date and occasion_net > 0 and $prior_occasions + count_with_spend_before > 0
)
-- Grain: one period
select days_before, count(*) as count_repeats, avg(log_ratio) as mean_log_ratio, var_pop(log_ratio) as var_log_ratio
from placed
group by days_before
order by days_before desc
"""


@dataclass(frozen=True)
class Activity:
    """States that customers were in when a period began, and what they bought in it.

    Attributes:
        period_days: length of each period; the last ends at as-of.
        history_days: days from the shop's first occasion to as-of.
        days_before: days from the evening that the state's period starts after to as-of, shape (k,).
        x: repeat purchases up to then, shape (k,).
        t_x: days from first to last purchase, shape (k,).
        age: days from first purchase to the start of the period, shape (k,).
        count: customers in the state, shape (k,).
        repeat_days_before: as days_before, of each period and day of first purchase with repeats, shape (j,).
        repeat_days_since_first: days from that first purchase to as-of, shape (j,).
        repeat_count: repeats, shape (j,).
    """

    period_days: int
    history_days: int
    days_before: FloatArray
    x: FloatArray
    t_x: FloatArray
    age: FloatArray
    count: FloatArray
    repeat_days_before: FloatArray
    repeat_days_since_first: FloatArray
    repeat_count: FloatArray


@dataclass(frozen=True)
class SpendActivity:
    """How repeat occasions compared with what their customers had spent before, by period.

    Attributes:
        period_days: length of each period; the last ends at as-of.
        history_days: days from the shop's first occasion to as-of.
        days_before: days from the evening that the period starts after to as-of, oldest first, shape (k,).
        count: repeat occasions with spend, shape (k,).
        mean_log_ratio: mean of log(net / net expected of the customer), shape (k,).
        var_log_ratio: its variance over occasions, shape (k,).
    """

    period_days: int
    history_days: int
    days_before: FloatArray
    count: FloatArray
    mean_log_ratio: FloatArray
    var_log_ratio: FloatArray


def repeat_activity(
    connection: duckdb.DuckDBPyConnection,
    as_of: dt.date,
    *,
    counts_zero_value_orders: bool = False,
    maximum_repeats: int = MAXIMUM_REPEATS,
) -> Activity:
    """States of existing customers at the start of each period up to as-of, and their repeats within it.

    A purchase counts in a period that began on or after the evening of the customer's first; the days between belong to
    no period.

    Args:
        connection: a connection that sees `marts.fct_orders` and `marts.fct_refunds`.
        as_of: the last business day that is seen, whole; refunds after it are unknown.
        counts_zero_value_orders: as in `purchase_history`.
        maximum_repeats: of a shop with more, a share of the customers is read, by a hash of the key.

    Returns:
        Periods of whole weeks, as long as 104 of them cover the history and at least 14 days; none without history.
    """
    scope = _scope(connection, as_of, counts_zero_value_orders, maximum_repeats)
    count_periods = scope.history_days // scope.period_days
    starts = [as_of - dt.timedelta(days=scope.period_days * back) for back in range(count_periods, 0, -1)]
    exposed = connection.execute(OCCASIONS + _STATES + _EXPOSED, {**scope.given, "starts": starts}).fetchnumpy()
    bought = connection.execute(OCCASIONS + _STATES + _BOUGHT, {**scope.given, **scope.periods}).fetchnumpy()
    states = ("days_before", "count_repeats", "days_to_last", "days_observed", "count_customers")
    repeats = ("days_before", "days_since_first", "count_repeats")
    columns = (*(exposed[name] for name in states), *(bought[name] for name in repeats))
    return Activity(scope.period_days, scope.history_days, *map(_as_floats, columns))


def spend_activity(
    connection: duckdb.DuckDBPyConnection,
    as_of: dt.date,
    prior_mean: float,
    prior_occasions: float,
    *,
    counts_zero_value_orders: bool = False,
) -> SpendActivity:
    """Net of repeat occasions beside what was expected of the customer before, by period up to as-of.

    Expected is (prior_occasions prior_mean + net before) / (prior_occasions + occasions with net before): equation 5 of
    Fader and Hardie (2013), the Gamma-Gamma's, with prior_occasions = (q - 1) / p.

    Args:
        connection: as in `repeat_activity`.
        as_of: as in `repeat_activity`.
        prior_mean: mean net per occasion over customers, above 0 in money.
        prior_occasions: occasions that this mean is worth, at least 0.
        counts_zero_value_orders: as in `purchase_history`.

    Returns:
        Periods as in `repeat_activity`, only those with repeat occasions with spend.

    Raises:
        ValueError: the prior is impossible.
    """
    if not (np.isfinite(prior_mean) and prior_mean > 0 and np.isfinite(prior_occasions) and prior_occasions >= 0):
        raise ValueError(f"a prior mean of {prior_mean} worth {prior_occasions} occasions; expected above 0 and from 0")
    scope = _scope(connection, as_of, counts_zero_value_orders, MAXIMUM_REPEATS)
    prior = {"prior_mean": float(prior_mean), "prior_occasions": float(prior_occasions)}
    spent = connection.execute(OCCASIONS + _STATES + _SPENT, {**scope.given, **scope.periods, **prior}).fetchnumpy()
    columns = (spent[name] for name in ("days_before", "count_repeats", "mean_log_ratio", "var_log_ratio"))
    return SpendActivity(scope.period_days, scope.history_days, *map(_as_floats, columns))


_SIZE = """
select
    date_diff('day', min(occasion_date), $cutoff::date) as history_days,
    count(*) - count(distinct customer_key) as count_repeats
from occasions
"""


@dataclass(frozen=True)
class _Scope:
    """Which customers and periods are read."""

    history_days: int
    period_days: int
    given: dict[str, object]

    @property
    def periods(self) -> dict[str, object]:
        return {"period_days": self.period_days}


def _scope(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, counts_zero_value_orders: bool, maximum_repeats: int
) -> _Scope:
    """As much of the shop as is worth reading."""
    given: dict[str, object] = {"cutoff": as_of, "counts_zero_value_orders": counts_zero_value_orders}
    size = connection.execute(OCCASIONS + _SIZE, given).fetchone()
    history_days, count_repeats = (int(number or 0) for number in size or (0, 0))
    share = min(1.0, maximum_repeats / max(count_repeats, 1))
    given["last_md5"] = f"{min(round(share * 16**8), 16**8 - 1):08x}" + "f" * 24
    weeks = -(-history_days // (7 * MAXIMUM_PERIODS))
    return _Scope(history_days, max(SHORTEST_PERIOD_DAYS, 7 * weeks), given)


def _as_floats(column: object) -> FloatArray:
    return np.asarray(column, dtype=np.float64)
