"""Shops whose season is known: MBG/NBD buyers who all hurry and tarry together."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.btyd import ModifiedBetaGeo
from dagster_project.modelling.level.activity import repeat_activity
from dagster_project.modelling.level.orders import OrdersLevel, fit_orders_level
from dagster_project.modelling.purchase_history import purchase_history

FIRST_DAY = dt.date(2023, 1, 1)
R, ALPHA, A, B = 0.8, 60.0, 0.7, 2.5
HORIZON_DAYS = 91


@dataclass(frozen=True)
class Shop:
    """A simulated shop.

    Attributes:
        connection: sees its marts, days after as-of too.
        as_of: the last day to be seen.
        histories: x, t_x and T at as-of.
        orders_ahead: repeat occasions of existing customers in the 91 days after as-of.
    """

    connection: duckdb.DuckDBPyConnection
    as_of: dt.date
    histories: tuple[np.ndarray, np.ndarray, np.ndarray]
    orders_ahead: int

    def level(self) -> OrdersLevel:
        return fit_orders_level(repeat_activity(self.connection, self.as_of), ModifiedBetaGeo, *self.histories)

    def log_miss(self, model) -> float:
        """Log of expected over actual orders of the 91 days after as-of."""
        return float(np.log(model.expected_purchases(*self.histories, HORIZON_DAYS).sum() / self.orders_ahead))


def _occasions(speed: Callable[[np.ndarray], np.ndarray], days: int, customers: int, seed: int) -> pd.DataFrame:
    """Customer and day of every purchase of a shop that ends 91 days after `days`, at a rate times speed(day)."""
    rng, total = np.random.default_rng(seed), days + HORIZON_DAYS + 1
    elapsed = np.concatenate(([0.0], np.cumsum(speed(np.arange(total) + 0.5))))
    first = np.floor(rng.random(customers) * total)
    rate, p_drop = rng.gamma(R, 1 / ALPHA, customers), rng.beta(A, B, customers)
    now = np.interp(first + 0.5, np.arange(total + 1), elapsed)
    who, when, alive = [np.arange(customers)], [first], rng.random(customers) >= p_drop
    while alive.any():
        now = now + rng.exponential(1, customers) / rate
        alive = alive & (now < elapsed[-1])
        who.append(np.flatnonzero(alive))
        when.append(np.floor(np.interp(now[alive], elapsed, np.arange(total + 1))))
        alive = alive & (rng.random(customers) >= p_drop)
    return pd.DataFrame({"customer": np.concatenate(who), "day": np.concatenate(when)}).drop_duplicates()


@pytest.fixture
def simulated() -> Iterator[Callable[..., Shop]]:
    """Makes a shop of a speed by day, days of history, customers and a seed."""
    opened = []

    def make(speed=np.ones_like, days: int = 730, customers: int = 4_000, seed: int = 1) -> Shop:
        as_of = FIRST_DAY + dt.timedelta(days=days)
        occasions = _occasions(speed, days, customers, seed)
        connection = duckdb.connect()
        opened.append(connection)
        connection.register("occasions", occasions)
        connection.execute("create schema marts")
        connection.execute(
            """
            create table marts.fct_orders as
            select
                row_number() over ()::varchar as order_key, customer::varchar as customer_key,
                $first::date + day::integer as order_date, 10.0::decimal(18, 4) as gross_amount,
                null::varchar as exclusion_reason
            from occasions
            """,
            {"first": FIRST_DAY},
        )
        connection.execute(
            "create table marts.fct_refunds (refund_key varchar, order_key varchar, refund_date date,"
            " refund_amount decimal(18, 4))"
        )
        history = purchase_history(connection, as_of)
        columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
        histories = tuple(history[name].to_numpy(dtype=float) for name in columns)
        known = set(history["customer_key"].astype(int))
        ahead = int(((occasions["day"] > days) & occasions["customer"].isin(known)).sum())
        return Shop(connection, as_of, histories, ahead)

    yield make
    for connection in opened:
        connection.close()
