"""Customer value from champions and from cohort averages, down to shops of nobody."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.value import NO_COST, NOT_WITHIN_LIFE, fit_value
from dagster_project.modelling.value_settings import ValueSettings

AS_OF = dt.date(2026, 6, 30)
CDNOW_AS_OF = dt.date(1997, 9, 30)
OPEN_GATE = ModelGate(0, 0, 100_000, 0)


def scored(features, as_of, **settings):
    return fit_value(features, as_of, ValueSettings(**settings)).score(features)


@pytest.fixture(scope="module")
def cdnow_value(cdnow_features):
    return fit_value(cdnow_features, CDNOW_AS_OF)


@pytest.fixture(scope="module")
def cdnow_rows(cdnow_value, cdnow_features):
    return cdnow_value.score(cdnow_features)


def test_values_of_a_simulated_shop_agree_with_its_future(shop, as_features):
    history, future, cutoff = shop
    customers = scored(as_features(history), cutoff, horizon_days=90)
    assert set(customers["status"]) == {"fitted"}
    assert customers["predicted_orders"].sum() == pytest.approx(future["count_occasions"].sum(), rel=0.06)
    assert customers["predicted_net"].sum() == pytest.approx(future["total_net"].sum(), rel=0.12)


def test_fitted_values_are_complete_and_agree_with_each_other(cdnow_rows, cdnow_features):
    assert cdnow_rows["customer_key"].tolist() == cdnow_features["customer_key"].tolist()
    assert set(cdnow_rows["status"]) == {"fitted"}
    assert set(cdnow_rows["model"]) == {"mbg_nbd"}
    assert set(cdnow_rows["net_model"]) == {"mbg_nbd*gamma_gamma_all"}
    predictions = cdnow_rows.filter(regex="^(predicted|probability)_")
    assert np.isfinite(predictions).all(axis=None)
    assert (predictions >= 0).all(axis=None)
    np.testing.assert_allclose(
        cdnow_rows["predicted_net"], cdnow_rows["predicted_orders"] * cdnow_rows["predicted_mean_order_net"]
    )
    undiscounted = cdnow_rows["predicted_net"] * 0.30
    assert ((cdnow_rows["predicted_clv"] < undiscounted) & (cdnow_rows["predicted_clv"] > undiscounted / 1.1)).all()
    np.testing.assert_allclose(cdnow_rows["historic_margin"], cdnow_rows["historic_net"] * 0.30)


def test_longer_horizons_hold_the_shorter(cdnow_rows):
    for measure in ("orders", "net", "clv"):
        parts = cdnow_rows[[f"predicted_{measure}_{days}d" for days in (30, 90, 365)]].to_numpy()
        assert (np.diff(parts, axis=1) >= 0).all()
        np.testing.assert_allclose(parts[:, 2], cdnow_rows[f"predicted_{measure}"])
    assert (np.diff(cdnow_rows[[f"probability_no_order_{days}d" for days in (30, 90, 365)]]) <= 0).all()
    assert (cdnow_rows["predicted_clv_residual"] > 0).all()


def test_wider_intervals_hold_the_narrower(cdnow_rows):
    for measure in ("orders", "net"):
        names = [
            f"predicted_{measure}_{end}" for end in ("low_95", "low_80", "low_50", "high_50", "high_80", "high_95")
        ]
        assert (np.diff(cdnow_rows[names].to_numpy(), axis=1) >= 0).all()


def test_predictions_are_those_of_the_purchase_model(cdnow_value, cdnow_features, cdnow_rows):
    row = cdnow_features.iloc[7]
    one = (row["count_repeat_occasions"], row["days_first_to_last_order"], row["days_observed"])
    model = cdnow_value.fits.purchase["mbg_nbd"]
    assert cdnow_rows["predicted_orders"][7] == pytest.approx(float(model.expected_purchases(*one, 365)))
    assert cdnow_rows["probability_no_order_90d"][7] == pytest.approx(float(model.probability_no_purchase(*one, 90)))
    assert cdnow_rows["probability_alive"][7] == pytest.approx(float(model.probability_alive(*one)))


def test_a_customer_is_scored_alike_in_any_company(cdnow_value, cdnow_features, cdnow_rows):
    parts = [cdnow_value.score(cdnow_features.iloc[start : start + 600]) for start in range(0, 2_400, 600)]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), cdnow_rows, check_exact=True)


def test_clv_without_discount_is_the_margin_of_the_predicted_net(cdnow_features):
    customers = scored(cdnow_features, CDNOW_AS_OF, annual_discount_rate=0.0, margin_share=0.5, horizon_days=100)
    np.testing.assert_allclose(customers["predicted_clv"], customers["predicted_net"] * 0.5)


def test_a_cost_is_paid_back_when_the_margin_has_come(cdnow_features, cdnow_rows):
    assert set(cdnow_rows["payback_reason"]) == {NO_COST}
    customers = scored(cdnow_features, CDNOW_AS_OF, acquisition_cost=12.0)
    has_paid = customers["historic_margin"] >= 12
    assert (customers["days_to_payback"] == 0)[has_paid].all()
    within_year = (customers["historic_margin"] + customers["predicted_clv"] >= 12) & ~has_paid
    assert customers.loc[within_year, "days_to_payback"].between(0, 365, inclusive="right").all()
    never = customers["historic_margin"] + customers["predicted_clv"] + customers["predicted_clv_residual"] < 12
    assert never.any()
    assert customers.loc[never, "days_to_payback"].isna().all()
    assert set(customers.loc[never, "payback_reason"]) == {NOT_WITHIN_LIFE}


def test_what_was_believed_is_described_in_json(cdnow_value):
    described = json.loads(json.dumps(cdnow_value.to_dict()))
    assert described["choices"]["orders"]["champion"] == "mbg_nbd"
    assert described["fits"]["purchase"]["mbg_nbd"]["certificate"]["gradient_norm"] < 1e-6
    assert described["fits"]["spend"]["gamma_gamma"]["params"]["p"] == pytest.approx(6.25, abs=0.005)


def test_too_little_history_gives_cohort_averages_marked_as_such(features_of):
    rows = [(1, 50, 100, 30.0)] * 20 + [(0, 0, 100, 10.0)] * 20
    customers = scored(features_of(rows, AS_OF), AS_OF)
    assert set(customers["status"]) == {"insufficient_data"}
    assert customers["status_reason"].str.contains("40 customers, at least 500 needed").all()
    assert set(customers["model"]) == {"cohort_mean"}
    assert customers["probability_alive"].isna().all()
    assert customers["predicted_orders_high_80"].isna().all()
    np.testing.assert_allclose(customers["predicted_orders"], 20 / 4_000 * 365)
    np.testing.assert_allclose(customers["predicted_mean_order_net"], 20.0)
    assert customers["predicted_clv"].between(20 / 4_000 * 365 * 20 * 0.3 / 1.1, 20 / 4_000 * 365 * 20 * 0.3).all()


def test_failed_spend_fits_fall_back_and_say_so(cdnow_features):
    equal_spend = cdnow_features.assign(mean_repeat_occasion_net=10.0, mean_occasion_net=10.0)
    value = fit_value(equal_spend, CDNOW_AS_OF)
    assert value.status == "did_not_converge"
    assert "gamma_gamma" in value.status_reason
    assert value.fits.base == "mbg_nbd"
    assert np.isfinite(value.score(equal_spend)["predicted_clv"]).all()


def test_no_customers_give_no_rows_with_the_same_types(features_of, cdnow_rows):
    nobody = features_of([], AS_OF)
    value = fit_value(nobody, AS_OF)
    rows = value.score(nobody)
    assert rows.empty
    assert (value.status, value.status_reason) == ("insufficient_data", "no customer has an order")
    assert rows.columns.tolist() == cdnow_rows.columns.tolist()


@pytest.mark.parametrize(
    ("rows", "orders"),
    [
        ([(2, 60, 100, 30.0)], 2 / 100 * 365),
        ([(3, 90, 120, 30.0)] * 600, 3 / 120 * 365),
        ([(0, 0, 0, 30.0)], np.nan),
        ([(0, 0, 300, 30.0)] * 900, 0.0),
        ([(0, 0, 0, 30.0)] * 40 + [(1, 20, 100, 30.0)] * 40, 1 / 100 * 365),
    ],
    ids=["one_customer", "identical_customers", "first_day", "one_time_buyers", "some_on_their_first_day"],
)
def test_degenerate_shops_get_cohort_averages_not_a_crash(features_of, rows, orders):
    customers = scored(features_of(rows, AS_OF), AS_OF, gate=OPEN_GATE)
    assert set(customers["status"]) == {"did_not_converge"}
    np.testing.assert_allclose(customers["predicted_orders"], orders)


def test_customers_on_their_first_day_are_scored_by_a_fitted_model(cdnow_value, features_of):
    today = cdnow_value.score(features_of([(0, 0, 0, 12.0)], CDNOW_AS_OF))
    assert today["status"].tolist() == ["fitted"]
    assert today["predicted_orders"].iloc[0] > 0


def test_features_of_another_night_are_refused(features_of):
    with pytest.raises(ValueError, match="expected 2026-07-01"):
        fit_value(features_of([(0, 0, 5, 1.0)], AS_OF), dt.date(2026, 7, 1))


@pytest.mark.parametrize(
    "settings",
    [
        {"horizon_days": 0},
        {"annual_discount_rate": -1.0},
        {"margin_share": 30.0},
        {"lifetime_days": 364},
        {"acquisition_cost": -1.0},
    ],
    ids=lambda s: next(iter(s)),
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ValueSettings(**settings)
