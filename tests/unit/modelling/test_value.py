"""Customer value from models and from cohort averages, down to shops of nobody."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.value import ValueSettings, customer_value

AS_OF = dt.date(2026, 6, 30)
CDNOW_AS_OF = dt.date(1997, 9, 30)
OPEN_GATE = ModelGate(0, 0, 100_000, 0)
COLUMNS = [
    "customer_key",
    "as_of_date",
    "horizon_days",
    "status",
    "status_reason",
    "model",
    "count_repeat_occasions",
    "days_first_to_last_order",
    "days_observed",
    "probability_alive",
    "predicted_orders",
    "predicted_mean_order_net",
    "predicted_net",
    "predicted_clv",
    "historic_net",
    "historic_margin",
]


@pytest.fixture(scope="module")
def cdnow_value(cdnow_history):
    return customer_value(cdnow_history, CDNOW_AS_OF)


def test_values_of_a_simulated_shop_agree_with_its_future(shop):
    history, future, cutoff = shop
    customers = customer_value(history, cutoff, ValueSettings(horizon_days=90)).customers
    assert set(customers["status"]) == {"fitted"}
    assert customers["predicted_orders"].sum() == pytest.approx(future["count_occasions"].sum(), rel=0.06)
    assert customers["predicted_net"].sum() == pytest.approx(future["total_net"].sum(), rel=0.12)


def test_fitted_values_are_complete_and_agree_with_each_other(cdnow_value, cdnow_history):
    customers = cdnow_value.customers
    assert list(customers.columns) == COLUMNS
    assert customers["customer_key"].tolist() == cdnow_history["customer_key"].tolist()
    assert set(customers["status"]) == {"fitted"}
    assert customers["status_reason"].isna().all()
    predictions = customers.loc[:, "probability_alive":]
    assert np.isfinite(predictions).all(axis=None)
    assert (predictions >= 0).all(axis=None)
    np.testing.assert_allclose(
        customers["predicted_net"], customers["predicted_orders"] * customers["predicted_mean_order_net"]
    )
    undiscounted = customers["predicted_net"] * 0.30
    assert ((customers["predicted_clv"] < undiscounted) & (customers["predicted_clv"] > undiscounted / 1.1)).all()
    np.testing.assert_allclose(customers["historic_margin"], customers["historic_net"] * 0.30)


def test_predictions_are_those_of_the_purchase_model(cdnow_value, cdnow_history):
    row = cdnow_history.iloc[7]
    one = (row["count_repeat_occasions"], row["days_first_to_last_order"], row["days_observed"])
    model = cdnow_value.purchase_fit.model
    assert cdnow_value.customers["predicted_orders"][7] == pytest.approx(float(model.expected_purchases(*one, 365)))
    assert cdnow_value.customers["probability_alive"][7] == pytest.approx(float(model.probability_alive(*one)))


def test_clv_without_discount_is_the_margin_of_the_predicted_net(cdnow_history):
    settings = ValueSettings(annual_discount_rate=0.0, margin_share=0.5, horizon_days=100)
    customers = customer_value(cdnow_history, CDNOW_AS_OF, settings).customers
    np.testing.assert_allclose(customers["predicted_clv"], customers["predicted_net"] * 0.5)


def test_fit_is_described_in_json(cdnow_value):
    described = json.loads(json.dumps(cdnow_value.fit))
    assert described["count_customers"] == 2357
    assert described["purchase"]["certificate"]["gradient_norm"] < 1e-6
    assert described["spend"]["params"]["p"] == pytest.approx(6.25, abs=0.005)


def test_same_history_gives_the_same_bytes(cdnow_value, cdnow_history):
    pd.testing.assert_frame_equal(
        customer_value(cdnow_history, CDNOW_AS_OF).customers, cdnow_value.customers, check_exact=True
    )


def test_too_little_history_gives_cohort_averages_marked_as_such(history_of):
    rows = [(1, 50, 100, 30.0)] * 20 + [(0, 0, 100, 10.0)] * 20
    customers = customer_value(history_of(rows, AS_OF), AS_OF).customers
    assert set(customers["status"]) == {"insufficient_data"}
    assert customers["status_reason"].str.contains("40 customers, at least 500 needed").all()
    assert set(customers["model"]) == {"cohort_mean"}
    assert customers["probability_alive"].isna().all()
    np.testing.assert_allclose(customers["predicted_orders"], 20 / 4_000 * 365)
    np.testing.assert_allclose(customers["predicted_mean_order_net"], 20.0)
    steps = 365 * np.arange(1, 13) / 12
    discount = np.mean(1.1 ** (-steps / 365))
    np.testing.assert_allclose(customers["predicted_clv"], 20 / 4_000 * 365 * 20 * 0.3 * discount)


def test_failed_spend_fit_falls_back_and_keeps_the_purchase_fit(cdnow_history):
    equal_spend = cdnow_history.assign(
        mean_repeat_occasion_net=cdnow_history["mean_repeat_occasion_net"].where(
            cdnow_history["count_repeat_occasions_with_spend"] == 0, 10.0
        )
    )
    value = customer_value(equal_spend, CDNOW_AS_OF)
    assert value.status == "did_not_converge"
    assert "gamma_gamma" in value.status_reason
    assert value.purchase_fit.status == "fitted"
    assert np.isfinite(value.customers["predicted_clv"]).all()


def test_no_customers_give_no_rows_with_the_same_types(history_of, cdnow_value):
    value = customer_value(history_of([], AS_OF), AS_OF)
    assert value.customers.empty
    assert (value.status, value.status_reason) == ("insufficient_data", "no customer has an order")
    assert value.customers.dtypes.equals(cdnow_value.customers.dtypes)


@pytest.mark.parametrize(
    ("rows", "status", "orders"),
    [
        ([(2, 60, 100, 30.0)], "did_not_converge", 2 / 100 * 365),
        ([(3, 90, 120, 30.0)] * 600, "did_not_converge", 3 / 120 * 365),
        ([(0, 0, 0, 30.0)], "did_not_converge", np.nan),
        ([(0, 0, 0, 30.0)] * 40 + [(1, 20, 100, 30.0)] * 40, "did_not_converge", 1 / 100 * 365),
    ],
    ids=["one_customer", "identical_customers", "first_day", "some_on_their_first_day"],
)
def test_degenerate_shops_get_cohort_averages_not_a_crash(history_of, rows, status, orders):
    customers = customer_value(history_of(rows, AS_OF), AS_OF, ValueSettings(gate=OPEN_GATE)).customers
    assert set(customers["status"]) == {status}
    np.testing.assert_allclose(customers["predicted_orders"], orders)
    np.testing.assert_allclose(customers["predicted_mean_order_net"], 30.0)


def test_customers_on_their_first_day_are_scored_by_a_fitted_model(cdnow_history, history_of):
    today = history_of([(0, 0, 0, 12.0)], CDNOW_AS_OF).astype(cdnow_history.dtypes)
    customers = customer_value(pd.concat([cdnow_history, today], ignore_index=True), CDNOW_AS_OF).customers
    assert customers["status"].iloc[-1] == "fitted"
    assert customers["predicted_orders"].iloc[-1] > 0


def test_history_of_another_night_is_refused(history_of):
    with pytest.raises(ValueError, match="expected 2026-07-01"):
        customer_value(history_of([(0, 0, 5, 1.0)], AS_OF), dt.date(2026, 7, 1))


@pytest.mark.parametrize(
    "settings",
    [{"horizon_days": 0}, {"annual_discount_rate": -1.0}, {"margin_share": 30.0}],
    ids=lambda s: next(iter(s)),
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ValueSettings(**settings)
