"""Features at many cut-offs: equal to the history, blind to what comes later."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hold_out import future_purchases

from dagster_project.modelling.features import customer_features, customer_outcomes
from dagster_project.modelling.purchase_history import purchase_history
from dagster_project.modelling.scope import EVERYTHING, Scope

DAY = dt.date(2026, 1, 31)
EARLIER = dt.date(2026, 1, 10)
ORDERS = [
    ("1", "A", dt.date(2025, 12, 1), "10.00", None),
    ("2", "A", dt.date(2026, 1, 5), "20.00", None),
    ("3", "A", dt.date(2026, 1, 5), "5.00", None),
    ("4", "A", dt.date(2026, 1, 30), "40.00", "fully_refunded"),
    ("5", "B", dt.date(2026, 1, 20), "7.00", None),
    ("6", "B", dt.date(2026, 1, 21), "8.00", "cancelled"),
    ("7", None, dt.date(2026, 1, 21), "8.00", None),
]
REFUNDS = [("r1", "2", dt.date(2026, 1, 15), "4.00"), ("r2", "4", dt.date(2026, 2, 3), "40.00")]


def of(connection, cutoffs, scope=EVERYTHING):
    return customer_features(connection, cutoffs, scope).df()


def test_one_customer_by_hand(marts):
    rows = of(marts(ORDERS, REFUNDS), [DAY, EARLIER]).set_index(["cutoff_date", "customer_key"])
    late, early = rows.loc[(pd.Timestamp(DAY), "A")], rows.loc[(pd.Timestamp(EARLIER), "A")]
    assert (late["count_repeat_occasions"], late["days_first_to_last_order"], late["days_observed"]) == (2, 60, 61)
    assert (early["count_repeat_occasions"], early["days_first_to_last_order"], early["days_observed"]) == (1, 35, 40)
    assert (late["total_net"], early["total_net"]) == (71.0, 35.0), "the refund of 4 is known later, that of 40 never"
    assert (late["last_gap_days"], late["gap_before_last_days"], late["longest_gap_days"]) == (25, 35, 35)
    assert late["total_log_gap"] == pytest.approx(np.log(25) + np.log(35), abs=1e-8)
    assert late["total_squared_log_gap"] == pytest.approx(np.log(25) ** 2 + np.log(35) ** 2, abs=1e-8)
    assert late["spread_gap_days"] == 5.0
    assert (late["count_occasions_30d"], late["total_net_30d"]) == (2, 61.0)
    assert late["refunded_share"] == pytest.approx(4 / 75)
    assert list(rows.loc[pd.Timestamp(EARLIER)].index) == ["A"], "B came later"


def test_the_columns_of_the_history_are_equal(cdnow):
    cutoffs = [dt.date(1997, 3, 31), dt.date(1997, 9, 30), dt.date(1998, 6, 30)]
    features = of(cdnow, cutoffs, Scope(counts_zero_value_orders=True))
    for cutoff in cutoffs:
        history = purchase_history(cdnow, cutoff, counts_zero_value_orders=True)
        seen = features[features["cutoff_date"] == pd.Timestamp(cutoff)].reset_index(drop=True)
        pd.testing.assert_frame_equal(seen[history.columns.tolist()], history)


def test_outcomes_equal_the_future_purchases(cdnow):
    cutoff = dt.date(1997, 9, 30)
    outcomes = customer_outcomes(cdnow, [cutoff, dt.date(1997, 6, 30)], 273, Scope(counts_zero_value_orders=True))
    future = future_purchases(cdnow, cutoff, cutoff + dt.timedelta(days=273), counts_zero_value_orders=True)
    seen = outcomes[outcomes["cutoff_date"] == pd.Timestamp(cutoff)].reset_index(drop=True)
    pd.testing.assert_frame_equal(seen[future.columns.tolist()], future)
    first = cdnow.execute(
        "select min(order_date) - $cutoff from marts.fct_orders where exclusion_reason is null "
        "and order_date > $cutoff and order_date <= $cutoff + 273 group by customer_key order by customer_key",
        {"cutoff": cutoff},
    ).fetchall()
    assert [(days,) for days in seen["days_to_first_occasion"]] == first


def test_nothing_after_a_cutoff_changes_a_feature(marts):
    later = [("8", "A", dt.date(2026, 2, 1), "99.00", None), ("9", "C", dt.date(2026, 2, 2), "99.00", None)]
    refunded = [("r3", "1", dt.date(2026, 2, 9), "10.00"), ("r4", "5", dt.date(2026, 2, 9), "7.00")]
    without, with_future = marts(ORDERS, REFUNDS), marts(ORDERS + later, REFUNDS + refunded)
    pd.testing.assert_frame_equal(of(without, [DAY, EARLIER]), of(with_future, [DAY, EARLIER]))


def test_a_share_of_the_customers_is_the_same_at_every_cutoff(cdnow):
    cutoffs = [dt.date(1997, 4, 30), dt.date(1997, 9, 30)]
    every, part = of(cdnow, cutoffs), of(cdnow, cutoffs, Scope(customer_share=0.3))
    drawn = set(part["customer_key"])
    assert 0.25 < len(drawn) / every["customer_key"].nunique() < 0.35
    pd.testing.assert_frame_equal(every[every["customer_key"].isin(drawn)].reset_index(drop=True), part)


def test_impossible_questions_are_refused(marts):
    connection = marts(ORDERS)
    with pytest.raises(ValueError, match="expected each once"):
        customer_features(connection, [DAY, DAY])
    with pytest.raises(ValueError, match="above 0 to 1"):
        customer_features(connection, [DAY], Scope(customer_share=0.0))
    with pytest.raises(ValueError, match="at least one day"):
        customer_outcomes(connection, [DAY], 0)
