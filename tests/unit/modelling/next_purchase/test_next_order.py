"""When customers order next: the truth of drawn shops, hand-computed rhythms, limits."""

import datetime as dt
from dataclasses import asdict, replace

import duckdb
import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.next_purchase.next_order import (
    CUSTOMER_NEXT_ORDER,
    HORIZON_DAYS,
    fit_next_orders,
    next_orders,
)
from dagster_project.modelling.next_purchase.next_order_trial import backtest_next_orders
from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.rhythm import HISTORIES, Rhythm

FIRST, AS_OF = dt.date(2022, 1, 1), dt.date(2025, 6, 30)
GATE = ModelGate(minimum_customers=200)
CUTOFF = AS_OF - dt.timedelta(days=HORIZON_DAYS)


def shop_of(gaps_of, count=900, seed=5) -> duckdb.DuckDBPyConnection:
    """Customers who come evenly, wait as `gaps_of` draws for each, and leave after an order with their own chance."""
    rng, days = np.random.default_rng(seed), (AS_OF - FIRST).days
    rows = []
    for number in range(count):
        day, rhythm, leaves = float(rng.integers(0, days - 60)), gaps_of(rng), rng.beta(0.7, 2.5)
        while day <= days:
            rows.append((f"c{number:04d}", FIRST + dt.timedelta(days=int(day))))
            if rng.random() < leaves:
                break
            day += max(1.0, rhythm())
    frame = pd.DataFrame(rows, columns=["customer_key", "order_date"])
    con = duckdb.connect()
    con.register("frame", frame)
    con.execute("""
        create schema marts;
        create table marts.fct_orders as select row_number() over ()::varchar as order_key, customer_key,
            order_date::date as order_date, 10.00::decimal(18, 4) as gross_amount, null::varchar as exclusion_reason
        from frame;
        create table marts.fct_refunds (
            refund_key varchar, order_key varchar, refund_date date, refund_amount decimal(18, 4));
    """)
    return con


def regular(rng):
    usual = np.exp(rng.normal(3.5, 0.6))
    return lambda: usual * np.exp(rng.normal(0, 0.15))


def memoryless(rng):
    usual = rng.gamma(2.0, 20.0) + 5
    return lambda: rng.exponential(usual)


@pytest.fixture(scope="module", params=[regular, memoryless], ids=["regular", "memoryless"])
def trial(request):
    con = shop_of(request.param)
    earlier = fit_next_orders(con, CUTOFF, GATE, "mbg_nbd")
    assert earlier.status == "fitted", earlier.status_reason
    scores, champion = backtest_next_orders(con, earlier, 25_000)
    yield request.param.__name__, con, scores.set_index(["model", "score"])["score_value"], champion
    con.close()


def test_the_rule_whose_world_it_is_becomes_champion(trial):
    world, _, scores, champion = trial
    assert champion == ("own_rhythm" if world == "regular" else "mbg_nbd")
    if world == "regular":
        assert scores["own_rhythm", "median_error_days"] < 0.6 * scores["mbg_nbd", "median_error_days"]
    assert scores[champion, "pinball_days"] < scores["everybodys_rhythm", "pinball_days"]


def test_the_interval_of_the_champion_holds_eight_in_ten(trial):
    _, _, scores, champion = trial
    assert 0.72 <= scores[champion, "coverage_80"] <= 0.88


def test_everybody_has_one_row_and_dates_in_order(trial):
    _, con, _, champion = trial
    believed = fit_next_orders(con, AS_OF, GATE, "mbg_nbd").dated_by(champion)
    rows = pd.concat(next_orders(con, believed), ignore_index=True)
    assert set(rows) == set(CUSTOMER_NEXT_ORDER)
    [(count,)] = con.execute("select count(distinct customer_key) from marts.fct_orders").fetchall()
    assert rows["customer_key"].nunique() == len(rows) == count
    dates = rows[["as_of_date", "earliest_order_date_80", "expected_order_date", "latest_order_date_80"]]
    assert (dates.diff(axis=1).iloc[:, 1:] >= pd.Timedelta(0)).all().all()
    assert rows["probability_order"].between(0, 1).all()
    assert set(rows["model"]) <= {"own_rhythm", "mbg_nbd"}


def test_moments_of_the_rhythm_are_recovered():
    con = shop_of(regular, count=1_500)
    found = Rhythm.of_shop(con, AS_OF)
    assert found is not None
    assert found.mean == pytest.approx(3.5, abs=0.08)
    assert found.between == pytest.approx(0.36, rel=0.2)
    assert found.within == pytest.approx(0.15**2, rel=0.25)
    given = {"cutoff": AS_OF, "counts_zero_value_orders": False}
    by_rows = Rhythm.of(con.execute(HISTORIES + " select * from histories", given).df())
    assert asdict(by_rows) == pytest.approx(asdict(found)), "customer by customer as by the engine"


def test_too_little_history_says_so_and_dates_nobody():
    con = shop_of(memoryless, count=40)
    believed = fit_next_orders(con, AS_OF, GATE, "mbg_nbd")
    rows = pd.concat(next_orders(con, replace(believed, champion=None)))
    assert set(rows["status"]) == {"insufficient_data"}
    assert rows["status_reason"].str.contains("40 customers, at least 200 needed").all()
    assert rows["expected_order_date"].isna().all()
    assert backtest_next_orders(con, believed, 25_000)[1] is None
