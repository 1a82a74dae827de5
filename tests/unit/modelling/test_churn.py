"""The churn score, its bands, its population, and cohort shares in its place."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.churn import ChurnSettings, customer_churn, is_active, risk_band
from dagster_project.modelling.purchase_history import purchase_history
from dagster_project.modelling.purchase_model import ModelGate, fit_purchase_model

AS_OF = dt.date(2026, 6, 30)
CDNOW_AS_OF = dt.date(1997, 9, 30)


def test_score_is_the_probability_of_no_purchase_of_the_model_already_fitted(cdnow_history):
    fit = fit_purchase_model(cdnow_history, ModelGate(), "mbg_nbd")
    churn = customer_churn(cdnow_history, CDNOW_AS_OF, purchase_fit=fit)
    columns = ["count_repeat_occasions", "days_first_to_last_order", "days_observed"]
    expected = fit.model.probability_no_purchase(*(cdnow_history[column] for column in columns), 90)
    np.testing.assert_allclose(churn.customers["probability_no_order"], expected)
    assert churn.purchase_fit is fit
    refitted = customer_churn(cdnow_history, CDNOW_AS_OF)
    pd.testing.assert_frame_equal(refitted.customers, churn.customers)


def test_churn_of_a_simulated_shop_agrees_with_its_future(shop):
    history, future, cutoff = shop
    probability = customer_churn(history, cutoff).customers["probability_no_order"]
    count_stayed_away = len(history) - len(future)
    deviation = np.sqrt((probability * (1 - probability)).sum())
    assert abs(probability.sum() - count_stayed_away) < 4 * deviation


def test_active_means_an_order_in_the_last_two_horizons(history_of):
    history = history_of([(0, 0, 59, 1.0), (0, 0, 60, 1.0), (3, 200, 200, 1.0)], AS_OF)
    assert is_active(history, 30).tolist() == [True, False, True]


def test_limits_of_the_bands_belong_to_the_middle():
    bands = risk_band(np.array([0.0, 0.3299, 0.33, 0.66, 0.6601, 1.0, np.nan]), ChurnSettings())
    assert bands[:6].tolist() == ["low", "low", "mid", "mid", "high", "high"]
    assert pd.isna(bands[6])


def test_without_a_model_the_share_of_active_customers_who_stayed_away_is_used(marts):
    day = dt.timedelta(days=1)
    earlier = AS_OF - 30 * day
    orders = [(f"a{i}", f"c{i:02d}", earlier - 10 * day, 5, None) for i in range(40)]
    orders += [(f"b{i}", f"c{i:02d}", AS_OF - 5 * day, 5, None) for i in range(10)]
    orders += [("old", "gone", earlier - 100 * day, 5, None), ("late", "fresh", AS_OF, 5, None)]
    connection = marts(orders)
    history, before = (purchase_history(connection, as_of) for as_of in (AS_OF, earlier))
    churn = customer_churn(history, AS_OF, ChurnSettings(horizon_days=30), earlier_history=before).customers
    by_customer = churn.set_index("customer_key")
    assert by_customer.loc["c00":"c39", "probability_no_order"].tolist() == [0.75] * 40
    assert by_customer.loc["fresh", "probability_no_order"] == 0.75
    assert by_customer.loc["c00", "risk_band"] == "high"
    assert not by_customer.loc["gone", "is_active"]
    assert pd.isna(by_customer.loc["gone", "probability_no_order"])
    assert set(churn["model"]) == {"cohort_share"}
    assert set(churn["status"]) == {"insufficient_data"}


def test_share_that_cannot_be_known_is_null(history_of):
    churn = customer_churn(history_of([(1, 20, 50, 9.0)], AS_OF), AS_OF).customers
    assert churn["probability_no_order"].isna().all()
    assert churn["risk_band"].isna().all()
    assert churn["is_active"].tolist() == [True]
    assert churn["days_since_last_order"].tolist() == [30]


def test_no_customers_give_no_rows_with_the_same_types(history_of, cdnow_history):
    empty = customer_churn(history_of([], AS_OF), AS_OF, earlier_history=history_of([], AS_OF)).customers
    assert empty.empty
    assert empty.dtypes.equals(customer_churn(cdnow_history, CDNOW_AS_OF).customers.dtypes)


@pytest.mark.parametrize("settings", [{"horizon_days": 0}, {"low_below": 0.7}, {"high_above": 1.2}], ids=str)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match="expected"):
        ChurnSettings(**settings)
