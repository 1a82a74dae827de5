"""Subscribers' hazards: counted as another library counts, found where they were planted, apart by cause."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dagster_project.modelling.leaving.subscriptions import (
    ALL_PLANS,
    hazard_table,
    running_subscriptions,
    subscription_hazards,
)

AS_OF = dt.date(2025, 12, 31)
A, B, FAILS, PERIOD = 0.8, 6.0, 0.015, 30


def marts_of(rows: pd.DataFrame) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("rows", rows)
    connection.execute("create schema marts; create table marts.fct_subscriptions as from rows")
    return connection


@pytest.fixture(scope="module")
def played() -> pd.DataFrame:
    """Subscribers who came over three years; each leaves by a chance of their own, and payments fail at one rate."""
    rng, count = np.random.default_rng(4), 20_000
    started = rng.integers(0, 1_095, count)
    chance = rng.beta(A, B, count)
    until_will, until_failure = rng.geometric(chance), rng.geometric(FAILS, count)
    possible = (1_095 - started) // PERIOD
    renewals = np.minimum(np.minimum(until_will, until_failure) - 1, possible)
    is_over = np.minimum(until_will, until_failure) <= possible
    by_will = until_will <= until_failure
    start = np.datetime64(AS_OF) - (1_095 - started).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "subscription_key": [f"s{n:05d}" for n in range(count)],
            "customer_key": [f"c{n:05d}" for n in range(count)],
            "plan_name": np.where(np.arange(count) < count - 30, "tea", "rare"),
            "start_date": start.astype("datetime64[s]"),
            "first_period_end_date": (start + np.timedelta64(PERIOD, "D")).astype("datetime64[s]"),
            "paid_until_date": (start + ((renewals + 1) * PERIOD).astype("timedelta64[D]")).astype("datetime64[s]"),
            "subscription_status": np.where(is_over, "ended", "active"),
            "end_reason": np.where(is_over, np.where(by_will, "cancelled", "payment_failed"), None),
            "count_renewals": renewals,
        }
    )


@pytest.fixture(scope="module")
def connection(played):
    with marts_of(played) as opened:
        yield opened


@pytest.fixture(scope="module")
def hazards(connection):
    return subscription_hazards(connection, AS_OF)


def test_survival_is_that_of_another_library(played, hazards):
    running = (played["subscription_status"] == "active").to_numpy()
    tenure = played["count_renewals"].to_numpy() + 1.0
    # who runs is censored before the next renewal, so half a step earlier
    found = stats.ecdf(stats.CensoredData(uncensored=tenure[~running], right=tenure[running] - 0.5)).sf
    by_age = hazards[ALL_PLANS].by_age
    expected = [found.evaluate(age + 1) for age in by_age["count_renewals"]]
    np.testing.assert_allclose(by_age["survival_share"], expected, atol=1e-12)


def test_planted_hazards_are_found_apart(hazards):
    found = hazards[ALL_PLANS]
    assert found.payment_failure == pytest.approx(FAILS, rel=0.1)
    ages = np.arange(12.0)
    planted = A / (A + B + ages)
    np.testing.assert_allclose(found.leaves_by_will(ages), planted, rtol=0.12)


def test_running_subscriptions_end_as_often_as_is_said(connection, hazards):
    rows = running_subscriptions(connection, AS_OF, 90, hazards).df()
    assert set(rows["count_renewals_due"]) == {3}
    tea = rows[rows["plan_name"] == "tea"].iloc[0]
    age = float(tea["count_renewals"])
    will = 1 - hazards["tea"].will.retention_rate(np.arange(age, age + 3))
    stays = np.cumprod([1.0, *((1 - will) * (1 - hazards["tea"].payment_failure))])
    assert tea["probability_by_will"] == pytest.approx((stays[:3] * will).sum())
    assert tea["probability_payment_failed"] == pytest.approx(
        (stays[:3] * (1 - will) * hazards["tea"].payment_failure).sum()
    )
    assert set(rows.loc[rows["plan_name"] == "rare", "hazards_of"]) == {ALL_PLANS}


def row(key: str, status: str, paid_until: str, reason: str | None = None, renewals: int = 1) -> dict[str, object]:
    return {
        "subscription_key": key, "customer_key": key, "plan_name": None, "subscription_status": status,
        "start_date": pd.Timestamp("2025-09-01"), "first_period_end_date": pd.Timestamp("2025-10-01"),
        "paid_until_date": pd.Timestamp(paid_until), "end_reason": reason, "count_renewals": renewals,
    }  # fmt: skip


def test_causes_and_states_by_hand():
    """Three were due at age 1, one of them cancelled and still paid for; what runs is censored."""
    rows = pd.DataFrame(
        [
            row("left", "ended", "2025-11-01", "not_renewed"),
            row("unpaid", "ended", "2025-11-01", "payment_failed"),
            row("leaving", "cancelled", "2026-01-10"),
            row("paused", "paused", "2025-11-01"),
            row("far", "active", "2026-06-01"),
        ]
    )
    with marts_of(rows) as connection:
        found = subscription_hazards(connection, AS_OF)
        table = hazard_table(found, AS_OF)
        running = running_subscriptions(connection, AS_OF, 30, found).df().set_index("subscription_key")
    one = table[table["plan_name"] == ALL_PLANS].iloc[0]
    assert (one["count_due"], one["count_left_by_will"], one["count_payment_failed"], one["count_running"]) == (
        3,
        2,
        1,
        2,
    )
    assert one["status"] == "not_fitted"
    assert "give it more customers or a longer history" in one["status_reason"]
    assert running["count_renewals_due"].to_dict() == {"leaving": 1, "paused": 2, "far": 0}
    assert running.loc["leaving", "probability_by_will"] == 1
    assert running.loc["far", ["probability_by_will", "probability_payment_failed"]].tolist() == [0, 0]
    assert running.loc["paused", "probability_by_will"] == pytest.approx(2 / 3)


def test_a_shop_without_subscriptions_has_empty_tables(played):
    with marts_of(played.iloc[:0]) as connection:
        found = subscription_hazards(connection, AS_OF)
        assert hazard_table(found, AS_OF).empty
        assert running_subscriptions(connection, AS_OF, 90, found).df().empty
