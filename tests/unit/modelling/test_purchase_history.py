"""Which orders are purchases at a cut-off, and their reduction to one row per customer."""

import datetime as dt

import pandas as pd
import pytest
from hold_out import future_purchases

from dagster_project.modelling.purchase_history import purchase_history

JAN, FEB, MAR = dt.date(2026, 1, 10), dt.date(2026, 2, 10), dt.date(2026, 3, 10)
AS_OF = dt.date(2026, 3, 31)


def test_history_reduces_orders_to_occasions(marts):
    connection = marts(
        [
            ("o1", "ann", JAN, 10, None),
            ("o2", "ann", FEB, 20, None),
            ("o3", "ann", FEB, 5, None),
            ("o4", "ann", MAR, 40, None),
            ("o5", "bob", MAR, 7, None),
        ],
        [("r1", "o4", MAR, 4)],
    )
    rows = purchase_history(connection, AS_OF).to_dict("records")
    assert rows[0] == {
        "customer_key": "ann",
        "cohort_month": pd.Timestamp(2026, 1, 1),
        "first_order_date": pd.Timestamp(JAN),
        "last_order_date": pd.Timestamp(MAR),
        "count_repeat_occasions": 2,
        "days_first_to_last_order": 59,
        "days_observed": 80,
        "total_net": 71.0,
        "mean_occasion_net": pytest.approx(71 / 3),
        "count_repeat_occasions_with_spend": 2,
        "mean_repeat_occasion_net": 30.5,
    }
    assert (rows[1]["customer_key"], rows[1]["count_repeat_occasions"], rows[1]["days_observed"]) == ("bob", 0, 21)
    assert pd.isna(rows[1]["mean_repeat_occasion_net"])


def test_orders_on_the_as_of_day_are_seen_and_later_ones_are_not(marts):
    connection = marts([("o1", "ann", JAN, 10, None), ("o2", "ann", FEB, 10, None), ("o3", "bob", MAR, 10, None)])
    history = purchase_history(connection, FEB)
    assert history["customer_key"].tolist() == ["ann"]
    assert history["last_order_date"].tolist() == [pd.Timestamp(FEB)]


def test_refund_after_the_cutoff_is_unknown_and_leaves_the_purchase(marts):
    connection = marts([("o1", "ann", JAN, 10, "fully_refunded")], [("r1", "o1", MAR, 10)])
    assert purchase_history(connection, FEB)["total_net"].tolist() == [10.0]
    assert purchase_history(connection, AS_OF).empty


def test_refunds_of_more_than_the_order_take_it_away_and_no_more(marts):
    orders = [("o1", "ann", JAN, 10, None), ("o2", "ann", FEB, 10, None)]
    history = purchase_history(marts(orders, [("r1", "o1", JAN, 6), ("r2", "o1", FEB, 6)]), AS_OF)
    assert history["first_order_date"].tolist() == [pd.Timestamp(FEB)]
    assert history["total_net"].tolist() == [10.0]


def test_refunds_without_an_order_and_orders_without_a_customer_are_left_out(marts):
    orders = [("o1", None, JAN, 10, None), ("o2", "ann", JAN, 10, None), ("o3", "ann", FEB, 9, "cancelled")]
    history = purchase_history(marts(orders, [("r1", None, JAN, 6)]), AS_OF)
    assert history[["customer_key", "total_net", "count_repeat_occasions"]].to_numpy().tolist() == [["ann", 10.0, 0]]


def test_zero_value_orders_are_occasions_only_when_asked_for(marts):
    connection = marts([("o1", "ann", JAN, 0, "zero_value"), ("o2", "ann", FEB, 8, None)])
    assert purchase_history(connection, AS_OF)["count_repeat_occasions"].tolist() == [0]
    counted = purchase_history(connection, AS_OF, counts_zero_value_orders=True)
    assert counted["count_repeat_occasions"].tolist() == [1]
    assert counted["mean_occasion_net"].tolist() == [8.0]
    only_zero = purchase_history(connection, JAN, counts_zero_value_orders=True)
    assert only_zero["mean_occasion_net"].isna().all()


def test_no_customers_gives_no_rows_and_the_same_types(marts):
    filled = purchase_history(marts([("o1", "ann", JAN, 10, None)]), AS_OF).dtypes
    empty = purchase_history(marts([]), AS_OF)
    assert empty.empty
    assert empty.dtypes.drop("customer_key").equals(filled.drop("customer_key"))


def test_future_counts_occasions_after_the_cutoff_with_refunds_known_at_its_end(marts):
    orders = [
        ("o1", "ann", JAN, 10, None),
        ("o2", "ann", FEB, 10, None),
        ("o3", "ann", MAR, 10, None),
        ("o4", "bob", MAR, 10, "fully_refunded"),
        ("o5", "cem", MAR, 10, None),
    ]
    connection = marts(orders, [("r1", "o4", AS_OF, 10), ("r2", "o5", AS_OF, 3)])
    assert future_purchases(connection, JAN, FEB).to_numpy().tolist() == [["ann", 1, 10.0]]
    until_march = future_purchases(connection, FEB, MAR).to_numpy().tolist()
    assert until_march == [["ann", 1, 10.0], ["bob", 1, 10.0], ["cem", 1, 10.0]]
    assert future_purchases(connection, FEB, AS_OF).to_numpy().tolist() == [["ann", 1, 10.0], ["cem", 1, 7.0]]


def test_cdnow_sample_has_its_published_size(cdnow_history):
    assert len(cdnow_history) == 2357
    assert (cdnow_history["count_repeat_occasions"] > 0).sum() == 946
