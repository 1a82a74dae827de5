"""Aggregates for fits against the same made from one row per customer."""

import datetime as dt

import numpy as np
import pytest

from dagster_project.modelling.btyd import BetaGeo
from dagster_project.modelling.history_statistics import history_statistics, spend_statistics, total_log_gap_days
from dagster_project.modelling.purchase_history import purchase_history
from dagster_project.modelling.spend import GammaGamma

JAN, FEB, MAR = dt.date(2026, 1, 10), dt.date(2026, 2, 10), dt.date(2026, 3, 10)
ORDERS = [
    ("o1", "ann", JAN, 10, None),
    ("o2", "ann", FEB, 20, None),
    ("o3", "ann", MAR, 30, None),
    ("o4", "bob", JAN, 10, None),
    ("o5", "bob", MAR, 50, None),
    ("o6", "cem", JAN, 0, "zero_value"),
    ("o7", "cem", MAR, 50, None),
    ("o8", "dan", MAR, 50, None),
]


def test_distinct_histories_are_counted(marts):
    rows = history_statistics(marts(ORDERS), MAR, counts_zero_value_orders=True)
    assert rows.to_numpy().tolist() == [[0, 0, 0, 1], [1, 59, 59, 2], [2, 59, 59, 1]]
    assert history_statistics(marts([]), MAR).empty


@pytest.mark.parametrize(
    ("of", "expected"),
    [("repeats", [[1, 50.0, 2], [2, 25.0, 1]]), ("all_purchases", [[1, 50.0, 2], [2, 30.0, 1], [3, 20.0, 1]])],
)
def test_spend_is_counted_with_or_without_the_first_purchase(marts, of, expected):
    rows = spend_statistics(marts(ORDERS), MAR, of, counts_zero_value_orders=True)
    assert rows.to_numpy().tolist() == expected


def test_log_gaps_are_summed_between_occasions_of_one_customer(marts):
    assert total_log_gap_days(marts(ORDERS), MAR) == pytest.approx(np.log([31, 28, 59]).sum())
    assert total_log_gap_days(marts(ORDERS[:1]), MAR) == 0


def test_fits_of_statistics_and_of_customers_are_the_same(cdnow, cdnow_history):
    rows = history_statistics(cdnow, dt.date(1997, 9, 30), counts_zero_value_orders=True)
    assert rows["count_customers"].sum() == 2357
    assert not rows.duplicated().any()
    grouped = BetaGeo.fit(*rows.to_numpy(dtype=float).T)
    columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
    single = BetaGeo.fit(*(cdnow_history[column] for column in columns))
    assert grouped.log_likelihood_ == pytest.approx(single.log_likelihood_, rel=1e-12)
    spends = spend_statistics(cdnow, dt.date(1997, 9, 30), "repeats", counts_zero_value_orders=True)
    grouped = GammaGamma.fit(*spends.to_numpy(dtype=float).T)
    single = GammaGamma.fit(
        cdnow_history["count_repeat_occasions_with_spend"], cdnow_history["mean_repeat_occasion_net"]
    )
    assert grouped.log_likelihood_ == pytest.approx(single.log_likelihood_, rel=1e-12)
    assert grouped.count_spend_correlation_ == pytest.approx(single.count_spend_correlation_)


def test_spend_of_repeats_leaves_out_a_first_purchase_without_spend(marts):
    history = purchase_history(marts(ORDERS), MAR, counts_zero_value_orders=True).set_index("customer_key")
    assert history.loc["cem", "count_repeat_occasions_with_spend"] == 1
    assert history.loc["cem", "mean_repeat_occasion_net"] == 50
    assert history.loc["bob", "mean_occasion_net"] == 30
