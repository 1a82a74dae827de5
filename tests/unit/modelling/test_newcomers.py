"""Customers still to come: known rates, seasons and repeats are found again."""

import datetime as dt
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.forecast import revenue_forecast
from dagster_project.modelling.newcomers import Newcomers

AS_OF = dt.date(2025, 6, 30)


def shop_of(first_days, repeats=()) -> duckdb.DuckDBPyConnection:
    """Each customer's first order so many days before as-of at 10.00, and repeats so many days after it at 20.00."""
    rows = [(f"c{n}", before - later, net) for n, before in enumerate(first_days)
            for later, net in [(0, 10), *((day, 20) for day in repeats)] if before >= later]  # fmt: skip
    con = duckdb.connect()
    con.register("rows", pd.DataFrame(rows, columns=["customer_key", "before", "net"]))
    con.execute(f"""
        create schema marts;
        create table marts.fct_orders as
        select row_number() over ()::varchar as order_key, customer_key, date '{AS_OF}' - before::integer as order_date,
            net::decimal(18, 4) as gross_amount, null::varchar as exclusion_reason
        from rows;
        create table marts.fct_refunds (
            refund_key varchar, order_key varchar, refund_date date, refund_amount decimal(18, 4));
    """)
    return con


def test_an_even_flow_goes_on_with_the_repeats_that_it_brings():
    found = Newcomers.of(shop_of(np.repeat(np.arange(900), 2), repeats=(10, 40)), AS_OF, 365)
    customers, orders, net = found.expected(90)
    assert found.rate == pytest.approx(2.0)
    assert customers == pytest.approx(180, rel=0.05)
    # who comes on day s (from 1) orders again when 10 and 40 days are left
    assert orders == pytest.approx(customers * (90 + 80 + 50) / 90, rel=0.01)
    assert net == pytest.approx(customers * (90 * 10 + (80 + 50) * 20) / 90, rel=0.01)


def test_first_orders_with_a_season_are_foreseen():
    rng, days = np.random.default_rng(8), np.arange(1_460)
    wave = 3 * np.exp(0.8 * np.sin(2 * np.pi * -days / 365.25))
    found = Newcomers.of(shop_of(np.repeat(days, rng.poisson(wave))), AS_OF, 365)
    ahead = np.arange(1, 366)
    coming = 3 * np.exp(0.8 * np.sin(2 * np.pi * ahead / 365.25))
    for horizon in (30, 90, 365):
        assert found.expected(horizon)[0] == pytest.approx(coming[:horizon].sum(), rel=0.15)
    assert found.expected(90)[0] > 1.4 * found.rate * 90


def test_half_of_a_growth_is_carried_on():
    days = np.arange(1_095)
    rate = np.where(days < 365, 6, np.where(days < 730, 4, 3))
    found = Newcomers.of(shop_of(np.repeat(days, rate)), AS_OF, 365)
    assert found.trend == pytest.approx(np.log(6 / 4) / 2)


def test_a_young_shop_goes_on_as_in_its_last_90_days():
    found = Newcomers.of(shop_of(np.repeat(np.arange(200), np.where(np.arange(200) < 90, 3, 9))), AS_OF, 365)
    assert found.rate == pytest.approx(3.0)
    assert "199 days of history" in found.foreseen.reason


def test_what_comes_later_is_not_seen():
    con = shop_of(np.repeat(np.arange(500), 2), repeats=(30,))
    cutoff = AS_OF - dt.timedelta(days=100)
    before = Newcomers.of(con, cutoff, 365).expected(365)
    con.execute("delete from marts.fct_orders where order_date > ?", [cutoff])
    assert Newcomers.of(con, cutoff, 365).expected(365) == before


def test_a_shop_without_orders_has_no_newcomers_and_no_forecast():
    assert Newcomers.of(shop_of([]), AS_OF, 365) is None
    assert revenue_forecast(pd.DataFrame(), None, AS_OF).empty


def test_parts_add_up_and_the_sum_is_surer_than_the_sum_of_the_ends():
    newcomers = Newcomers.of(shop_of(np.repeat(np.arange(900), 2), repeats=(10,)), AS_OF, 365)
    ends = {"low_80": 80.0, "high_80": 125.0, "low_95": 70.0, "high_95": 140.0}
    totals = pd.DataFrame(
        [{"measure": "orders", "horizon_days": 90, "expected": 100.0, "status": "fitted", "status_reason": None,
          "model": "mbg_nbd", **ends}]
    )  # fmt: skip
    rows = revenue_forecast(totals, newcomers, AS_OF).set_index("part")
    existing, new, both = (rows.loc[f"{part}_customers"] for part in ("existing", "new", "all"))
    assert both["expected"] == pytest.approx(existing["expected"] + new["expected"])
    assert existing["low_80"] == 80.0
    assert existing["low_80"] + new["low_80"] < both["low_80"] < both["expected"] < both["high_80"]
    assert both["high_80"] < existing["high_80"] + new["high_80"]


class Anything:
    """What a shop is told of itself that stopped all at once: the total may be anything."""

    def factor(self, horizon_days: float) -> float:
        return 1.0

    def log_error(self, horizon_days: float) -> float:
        return 12.0


def test_a_total_that_may_be_anything_is_drawn_within_ten_times():
    found = replace(Newcomers.of(shop_of(np.repeat(np.arange(900), 2)), AS_OF, 365), foreseen=Anything())
    ordered, spent = found.draws(365, np.random.default_rng(0), 4_000)
    low, high = np.quantile(ordered, (0.1, 0.9)) / found.expected(365)[1]
    assert np.isfinite(spent).all()
    assert (low, high) == (pytest.approx(0.1, rel=0.15), pytest.approx(10, rel=0.15))
