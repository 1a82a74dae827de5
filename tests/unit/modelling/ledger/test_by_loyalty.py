"""Loyal and other customers, forecast in groups of equal volume."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import pytest
from ledger_shop import AS_OF

from dagster_project.modelling.ledger import followed
from dagster_project.modelling.ledger.by_loyalty import loyal_forecast_errors, stretches_of
from dagster_project.modelling.ledger.predictions import COLUMNS
from dagster_project.modelling.ledger.scores import ledger_scores
from dagster_project.modelling.loyal import LoyalRule, loyal_customers

EVENING = dt.date(2024, 8, 31)
KINDS = ("loyal_customers", "other_customers")


def test_loyal_status_is_that_of_pandas(open_shop, night):
    """By the orders and refunds up to the evening alone."""
    con = open_shop()
    rows = con.execute(
        """
        select customer_key, order_date::timestamp as day
        from marts.fct_orders
        left join (
            select order_key, sum(refund_amount) as refunded
            from marts.fct_refunds where refund_date <= $evening group by order_key
        ) using (order_key)
        where order_date <= $evening and gross_amount > coalesce(refunded, 0)
    """,
        {"evening": EVENING},
    ).df()
    rows = rows.drop_duplicates().sort_values(["customer_key", "day"])
    rows["gap"] = rows.groupby("customer_key")["day"].diff().dt.days
    rows["ago"] = (pd.Timestamp(EVENING) - rows["day"]).dt.days
    customers = rows.groupby("customer_key")
    is_loyal = rows[rows["ago"] < 365].groupby("customer_key").size().reindex(customers.groups.keys()) >= 3
    is_loyal &= customers["ago"].min() <= 1.5 * customers["gap"].median()
    expected = set(is_loyal.index[is_loyal])
    assert 150 < len(expected) < 400
    assert set(loyal_customers(con, [EVENING], LoyalRule())["customer_key"]) == expected
    said = night.reading.connection.execute(
        "select distinct customer_key from ledger_predictions where predicted_date = ? and is_loyal", [EVENING]
    )
    assert {key for (key,) in said.fetchall()} == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (LoyalRule(), ["A"]),
        (LoyalRule(minimum_occasions=2), ["A", "B"]),
        (LoyalRule(minimum_occasions=2, gap_multiple=0.5), ["B"]),
        (LoyalRule(window_days=50), []),
    ],
)
def test_each_part_of_the_rule_counts(marts, rule, expected):
    evening = dt.date(2026, 3, 31)
    days = {"A": (90, 50, 20), "B": (64, 10), "C": (300, 290, 280), "D": (1,)}
    con = marts(
        [(f"{key}{ago}", key, evening - dt.timedelta(ago), "9.00", None) for key, agos in days.items() for ago in agos]
    )
    assert loyal_customers(con, [evening], rule)["customer_key"].tolist() == expected


def test_groups_have_equal_volume_and_their_own_errors(night):
    con = night.reading.connection
    sums = con.execute(
        """
        select part, prediction, tenth, predicted::double as predicted, outcome::double as outcome
        from ledger_sums
        where predicted_date = ? and horizon_days = 30 and not is_baseline
    """,
        [EVENING],
    ).df()
    customers = con.execute(
        """
        select predictions.*, md5(customer_key) as place, outcomes.orders, outcomes.net
        from ledger_predictions as predictions
        inner join ledger_outcomes as outcomes using (predicted_date, horizon_days, part, customer_key)
        where predicted_date = ? and horizon_days = 30
    """,
        [EVENING],
    ).df()
    for prediction in ("orders", "net"):
        said = f"{prediction}_predicted"
        wanted = customers.groupby("is_loyal")[said].sum().min()
        for kind, is_loyal in zip(KINDS, (True, False), strict=True):
            groups = sums[(sums["part"] == kind) & (sums["prediction"] == prediction)].set_index("tenth").sort_index()
            alike = customers[customers["is_loyal"] == is_loyal].sort_values("place")
            assert list(groups.index) == list(range(1, 11))
            np.testing.assert_allclose(groups["predicted"], wanted / 10, atol=alike[said].max())
            middle = alike[said].cumsum() - alike[said] / 2
            own = (10 * middle / wanted).astype(int) + 1
            expected = alike[middle < wanted].groupby(own)[[said, prediction]].sum()
            np.testing.assert_allclose(groups[["predicted", "outcome"]], expected, rtol=1e-6)
            scores = night.scores.query("part == @kind and prediction == @prediction and horizon_days == 30")
            scores = scores[scores["predicted_date"].dt.date.eq(EVENING) & ~scores["is_baseline"]]
            wape = (expected[said] - expected[prediction]).abs().sum() / expected[prediction].sum()
            assert scores.set_index("score")["score_value"]["wape"] == pytest.approx(wape)


def test_too_few_evenings_say_nothing(night):
    rows = night.by_loyalty.set_index(["prediction", "horizon_days"])
    assert list(rows.index) == [("net", 30), ("net", 90), ("orders", 30), ("orders", 90)]
    assert rows.loc[("orders", 30), ["count_evenings", "count_stretches"]].tolist() == [3, 3]
    short = rows.loc[("orders", 90)]
    assert (short["count_evenings"], short["verdict"]) == (1, "cannot_say")
    assert short["verdict_reason"] == "fewer than 3 stretches of 90 days with orders have ended"
    assert np.isnan(short["ci_low"])


@pytest.mark.parametrize(
    ("spread", "verdict"),
    [
        ({True: 0.1, False: 0.6}, "holds"),
        ({True: 0.6, False: 0.1}, "does_not_hold"),
        ({True: 0.3, False: 0.3}, "cannot_say"),
    ],
)
def test_who_is_easier_to_foresee_is_found(spread, verdict):
    """Loyal customers order three times as much; what decides is how far each kind strays from what is expected."""
    found = loyal_forecast_errors(_drawn_ledger(spread), AS_OF).set_index("prediction").loc["orders"]
    assert found["verdict"] == verdict
    assert found["count_stretches"] == 12
    assert found["ci_low"] <= found["error_difference"] <= found["ci_high"]
    assert pd.isna(found["verdict_reason"]) == (verdict != "cannot_say")


def _drawn_ledger(spread):
    """Twelve evenings of 600 customers; each kind is off by a log-normal factor of its own each month."""
    rng, con, evenings = np.random.default_rng(3), duckdb.connect(), pd.date_range("2023-11-30", periods=12, freq="ME")
    keys = [f"c{number}" for number in range(600)]
    is_loyal = np.arange(600) % 3 == 0
    followed.begin(con)
    for evening in evenings:
        expected = np.where(is_loyal, 3.0, 1.0)
        rows = pd.DataFrame({"customer_key": keys, "is_loyal": is_loyal, "orders_predicted": expected})
        rows = rows.assign(predicted_date=evening, horizon_days=30, part="customer", orders_model="m", net_model="m")
        rows = rows.assign(is_active=True, is_followed=True, orders_same_as_last_period=expected)
        followed.add_predictions(con, rows.reindex(columns=list(COLUMNS)))
        strays = np.where(is_loyal, *(rng.normal(0, spread[kind]) for kind in (True, False)))
        came = rng.poisson(expected * np.exp(strays))
        outcomes = pd.DataFrame(
            {"cutoff_date": evening, "customer_key": keys, "count_occasions": came, "total_net": 0.0}
        ).assign(days_to_first_occasion=1)
        followed.add_outcomes(con, outcomes, 30, [evening.date()])
    ledger_scores(con, [evening.date() for evening in evenings], AS_OF)
    return con


@pytest.mark.parametrize(("days", "expected"), [(30, [4, 2, 1, 0]), (90, [1, 0, 0, 0]), (365, [0, 0, 0, 0])])
def test_stretches_are_as_long_as_the_horizon(days, expected):
    evenings = pd.Series(pd.to_datetime(["2024-07-31", "2024-09-30", "2024-10-31", "2024-11-30"]))
    assert stretches_of(evenings, days).tolist() == expected
