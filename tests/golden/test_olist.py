"""Olist as it is published: every order, every review and every cent is somewhere.

Its metrics and marts are recounted in `test_recounted_metrics.py` and `test_recounted_marts.py`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from real_shops import OpenNight, models_of_a_day
from scipy import stats
from tidy_shops import tidy

SELLING = dt.date(2018, 8, 31)


@pytest.fixture(scope="module")
def night(open_night: OpenNight) -> duckdb.DuckDBPyConnection:
    return open_night("olist")


def one(con: duckdb.DuckDBPyConnection, sql: str) -> object:
    [(found,)] = con.execute(sql).fetchall()
    return found


def test_every_order_of_the_file_is_in_the_orders_table(night: duckdb.DuckDBPyConnection) -> None:
    assert one(night, "select count(*) from marts.fct_orders") == 99_441


def test_customers_are_people_and_not_orders(night: duckdb.DuckDBPyConnection) -> None:
    assert one(night, "select count(*) from marts.dim_customers") == 96_096


def test_item_and_freight_revenue_agree_to_the_cent(night: duckdb.DuckDBPyConnection) -> None:
    assert one(night, "select sum(items_amount) from marts.fct_orders") == Decimal("13591643.70")
    assert one(night, "select sum(shipping_amount) from marts.fct_orders") == Decimal("2251909.54")


def test_every_review_is_an_answer_or_is_refused(night: duckdb.DuckDBPyConnection) -> None:
    answers = one(night, "select count(*) from marts.fct_feedback")
    refused = one(night, "select count(*) from quality.quarantined_rows where model = 'stg_olist__feedback'")
    assert (answers, refused) == (99_214, 10)
    assert one(night, "select count(distinct reasons) from quality.quarantined_rows") == 1


def test_every_excluded_order_has_one_known_reason(night: duckdb.DuckDBPyConnection) -> None:
    counted = night.execute(
        "select count(*), count(distinct order_key), count(r.exclusion_reason) from marts.order_exclusions "
        "left join marts.exclusion_reasons as r using (exclusion_reason)"
    ).fetchone()
    assert counted == (1_242, 1_242, 1_242)
    assert one(night, "select count(*) from marts.fct_orders where not is_valid") == 1_242


def test_all_totals_are_reconciled_to_zero(night: duckdb.DuckDBPyConnection) -> None:
    assert one(night, "select count(*) from quality.reconciliation where difference <> 0") == 0
    assert one(night, "select count(*) from quality.reconciliation") == 33


def test_late_delivery_leads_what_moves_reviews(night: duckdb.DuckDBPyConnection) -> None:
    """By its share of what is explained, in every draw; each day late costs score, the interval below zero."""
    leading = night.execute(
        "select driver, ci_low > 0, leads_share from models.satisfaction_driver_importance where importance_rank = 1 "
        "and instrument <> 'repurchase'"
    ).fetchall()
    assert leading == [("delivery", True, 1.0)]
    [(verdict, high)] = night.execute(
        "select verdict, ci_high from models.satisfaction_drivers where fact = 'days_late' "
        "and instrument <> 'repurchase'"
    ).fetchall()
    assert verdict == "lowers"
    assert high < 0


def test_median_gap_equals_another_implementation(night: duckdb.DuckDBPyConnection) -> None:
    """Nine in ten gaps never close, so that half of them closing is not in sight: the median is unknown, not small."""
    days = tidy("olist").occasions.groupby("customer")["day"]
    closed = days.diff().dropna().dt.days
    still_open = (pd.Timestamp("2018-10-29") - days.max()).dt.days
    surviving = stats.ecdf(stats.CensoredData(uncensored=closed.to_numpy(), right=still_open.to_numpy())).sf
    assert surviving.probabilities.min() > 0.5
    [(count_closed, count_gaps, value)] = night.execute(
        "select numerator, denominator, metric_value from marts.loyalty_metrics "
        "where metric = 'purchase_gap_median_days' and period_type = 'lifetime' and segment_type = 'all'"
    ).fetchall()
    assert (count_closed, count_gaps, value) == (len(closed), len(closed) + len(still_open), None)


def test_a_shop_that_stopped_selling_gets_cohort_averages_and_says_so(night: duckdb.DuckDBPyConnection) -> None:
    found = night.execute("select distinct status, status_reason, model from models.customer_clv").fetchall()
    assert len(found) == 1
    status, reason, model = found[0]
    assert (status, model) == ("insufficient_data", "cohort_mean")
    assert "last order" in reason


def test_one_time_buyers_are_not_all_alive_on_a_day_when_the_shop_was_selling(
    night: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with duckdb.connect(str(models_of_a_day(night, "olist", SELLING, tmp_path)), read_only=True) as selling:
        assert one(selling, "select any_value(status) from models.customer_clv") == "fitted"
        [(lowest, highest)] = selling.execute(
            "select min(probability_no_order), max(probability_no_order) from models.customer_churn"
        ).fetchall()
        assert 0 < lowest < highest < 1
        known = f"select count(distinct customer_key) from marts.fct_orders where order_date <= '{SELLING}'"
        assert one(selling, "select count(*) from models.customer_clv") <= one(selling, known)
