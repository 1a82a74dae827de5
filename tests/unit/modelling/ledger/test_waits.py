"""Dates of next orders in the ledger: as published on the evening, graded a year later by what came."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ledger_shop import AS_OF, SETTINGS, as_frame, drawn_shop

from dagster_project.modelling.features import customer_outcomes
from dagster_project.modelling.ledger import followed
from dagster_project.modelling.ledger.night import ledger_night
from dagster_project.modelling.ledger.scores import ledger_scores
from dagster_project.modelling.ledger.waits import NAIVE_BY_GAP, NAIVE_WITH_INTERVAL
from dagster_project.modelling.next_purchase.next_order import HORIZON_DAYS, fit_next_orders, next_orders
from dagster_project.modelling.value_night import Reading

EVENING = dt.date(2023, 11, 30)
DUE = EVENING + dt.timedelta(days=HORIZON_DAYS)


@pytest.fixture(scope="module")
def shop():
    assert DUE <= AS_OF, "the shop holds what followed"
    with drawn_shop() as connection:
        yield connection


@pytest.fixture(scope="module")
def open_rows(shop):
    """Of the evening itself."""
    night = ledger_night(Reading(shop, EVENING), replace(SETTINGS, count_evenings=1))
    return as_frame(night).query("prediction == 'days_to_next_order'")


@pytest.fixture(scope="module")
def graded(shop, open_rows):
    """Of a night a year later, and the scores."""
    followed.add_outcomes(shop, customer_outcomes(shop, [EVENING], HORIZON_DAYS), HORIZON_DAYS, [EVENING])
    [rows] = followed.ledger_rows(shop, [EVENING], DUE)
    scores = ledger_scores(shop, [EVENING], DUE).query("prediction == 'days_to_next_order' and segment_type == 'all'")
    rows = rows.to_pandas(date_as_object=False).query("prediction == 'days_to_next_order'")
    return rows, scores[scores["predicted_date"].notna()]


def test_they_are_the_dates_that_were_published_on_the_evening(shop, open_rows):
    believed = fit_next_orders(shop, EVENING, SETTINGS.gate, SETTINGS.purchase_model)
    published = pd.concat(next_orders(shop, believed)).set_index("customer_key")
    dates = published.loc[open_rows["customer_key"]]
    for column, name in (("low_80", "earliest_"), ("predicted", "expected_"), ("high_80", "latest_")):
        published_date = dates[f"{name}order_date{'' if column == 'predicted' else '_80'}"].to_numpy()
        said = (open_rows["predicted_date"] + pd.to_timedelta(open_rows[column], "D")).to_numpy()
        np.testing.assert_array_equal(said.astype("datetime64[D]"), published_date.astype("datetime64[D]"))
    assert set(open_rows["status"]) == {"open"}
    assert set(open_rows["horizon_days"]) == {HORIZON_DAYS}
    assert 100 < len(open_rows) < 300, "followed customers who had come back"


def test_they_are_graded_by_the_first_order_that_came(shop, graded):
    rows, _ = graded
    came = shop.execute(
        """
        select customer_key, min(order_date)::timestamp as next_date
        from marts.fct_orders
        anti join (select order_key from marts.fct_refunds where refund_date <= $due) using (order_key)
        where order_date > $evening and order_date <= $due
        group by customer_key
        """,
        {"evening": EVENING, "due": DUE},
    ).df()
    waited = (came.set_index("customer_key")["next_date"] - pd.Timestamp(EVENING)).dt.days
    expected = waited.reindex(rows["customer_key"]).to_numpy()
    np.testing.assert_array_equal(rows["outcome"], expected)
    assert (rows["status"] == np.where(np.isnan(expected), "no_order", "scored")).all()
    assert {"no_order", "scored"} == set(rows["status"])


def test_scores_are_of_those_who_came_and_stand_beside_naive_rules(graded):
    rows, scores = graded
    came = rows[rows["status"] == "scored"]
    found = scores.set_index(["model", "score"])["score_value"]
    [model] = rows["model"].unique()
    assert found[model, "mean_absolute_error"] == pytest.approx(came["error"].abs().mean())
    assert found[model, "coverage_80"] == pytest.approx(came["is_covered"].astype(float).mean())
    assert set(scores.loc[scores["is_baseline"], "model"]) == {NAIVE_WITH_INTERVAL, *NAIVE_BY_GAP}
    assert set(scores.loc[~scores["is_baseline"], "model"]) == {model, "own_rhythm"}
    assert set(scores["count_customers"]) == {len(came)}, "everybody dates the same customers"
    for rule in NAIVE_BY_GAP:
        assert found[model, "mean_absolute_error"] < found[rule, "mean_absolute_error"]
    assert 0.7 < found[model, "coverage_80"] < 0.92


def test_no_other_row_holds_a_wait(shop, open_rows):
    count = "select count(*) from ledger_predictions where days_to_next_order_last_gap is not null and not ({})"
    [(kept,)] = shop.execute(count.format("part = 'customer' and is_followed and horizon_days = 365")).fetchall()
    assert kept == 0
