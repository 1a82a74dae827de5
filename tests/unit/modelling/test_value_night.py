"""A whole night of value on CDNOW's sample: choice, batches, totals, parameters."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.shop_totals import ShopValue
from dagster_project.modelling.value_night import Reading, scored_customers, value_night
from dagster_project.modelling.value_settings import ValueSettings

AS_OF = dt.date(1998, 3, 31)


@pytest.fixture(scope="module")
def reading(cdnow):
    return Reading(cdnow, AS_OF, counts_zero_value_orders=True)


@pytest.fixture(scope="module")
def night(reading):
    return value_night(reading, ValueSettings(horizon_days=91))


@pytest.fixture(scope="module")
def customers(reading, night):
    return pd.concat(scored_customers(reading, night.model), ignore_index=True)


def test_batches_of_any_size_give_the_same_customers_and_totals(reading, night, customers):
    whole, parts = ShopValue(night.model), ShopValue(night.model)
    whole.add(customers)
    batched = pd.concat(scored_customers(reading, night.model, parts, batch_customers=500), ignore_index=True)
    pd.testing.assert_frame_equal(batched, customers, check_exact=True)
    columns = ["measure", "horizon_days", "count_customers", "expected"]
    pd.testing.assert_frame_equal(parts.table()[columns], whole.table()[columns], rtol=1e-9)
    ends = parts.table().filter(regex="^(low|high)"), whole.table().filter(regex="^(low|high)")
    np.testing.assert_allclose(*ends, rtol=0.03, err_msg="2,000 draws of the same shop")


def test_totals_are_the_sums_of_the_customers_within_their_interval(night, customers):
    shop = ShopValue(night.model)
    shop.add(customers)
    totals = shop.table().set_index(["measure", "horizon_days"])
    assert totals.loc[("orders", 91), "expected"] == pytest.approx(customers["predicted_orders"].sum())
    assert totals.loc[("net", 365), "expected"] == pytest.approx(customers["predicted_net_365d"].sum())
    for _, row in totals.iterrows():
        ends = row[["low_95", "low_80", "low_50", "high_50", "high_80", "high_95"]].to_numpy(dtype=float)
        assert (np.diff(ends) > 0).all()
        assert row["low_80"] < row["expected"] < row["high_80"]


def test_the_night_did_not_do_worse_than_its_incumbent(night):
    for prediction, choice in night.model.choices.items():
        scores = night.scores.query("prediction == @prediction and segment_type == 'all'")
        loss = "poisson_deviance" if prediction == "orders" else "tweedie_deviance"
        by_model = scores[scores["score"] == loss].groupby("model")["score_value"].mean()
        assert by_model[choice.champion] <= by_model[choice.incumbent] * 1.02


def test_intervals_cover_on_evenings_that_they_were_not_fitted_to(night):
    covered = night.scores.query("score == 'coverage_80'")["score_value"]
    assert len(covered) >= 4
    assert covered.between(0.72, 0.88).all()


def test_parameters_carry_error_and_drift(night):
    rows = night.parameters.query("model == 'mbg_nbd'")
    assert rows["parameter"].tolist() == ["r", "alpha", "a", "b"]
    assert (rows["standard_error"] > 0).all()
    assert rows["drift_in_standard_errors"].abs().max() < 5
    assert (rows["estimate_30_days_before"] != rows["estimate"]).all()


def test_the_same_night_twice_is_the_same(reading, night, customers):
    again = value_night(reading, ValueSettings(horizon_days=91))
    pd.testing.assert_frame_equal(again.scores, night.scores, check_exact=True)
    pd.testing.assert_frame_equal(
        pd.concat(scored_customers(reading, again.model), ignore_index=True), customers, check_exact=True
    )


def test_a_shop_of_one_time_buyers_falls_back(marts):
    first = dt.date(2025, 1, 1)
    orders = [(str(n), f"c{n}", first + dt.timedelta(days=n % 300), "10.00", None) for n in range(900)]
    reading = Reading(marts(orders), dt.date(2025, 10, 27))
    night = value_night(reading, ValueSettings())
    rows = pd.concat(scored_customers(reading, night.model))
    assert set(rows["status"]) == {"insufficient_data"}
    assert (rows["predicted_orders"] == 0).all()
    assert night.scores.empty
    assert night.parameters.empty


def test_an_empty_shop_is_valued_at_nothing(marts):
    reading = Reading(marts([]), dt.date(2025, 10, 27))
    night = value_night(reading, ValueSettings())
    assert night.model.status_reason == "no customer has an order"
    assert sum(len(rows) for rows in scored_customers(reading, night.model)) == 0
