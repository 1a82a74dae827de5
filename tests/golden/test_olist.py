"""Olist as it is published: every order, every review and every cent is somewhere, and figures agree with pandas."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from real_shops import OpenNight, data_folder, models_of_a_day
from scipy import stats

SELLING = dt.date(2018, 8, 31)


@pytest.fixture(scope="module")
def night(open_night: OpenNight) -> duckdb.DuckDBPyConnection:
    return open_night("olist")


@pytest.fixture(scope="module")
def files() -> dict[str, pd.DataFrame]:
    folder = data_folder("olist")
    names = ("orders", "order_items", "customers", "order_reviews")
    return {name: pd.read_csv(folder / f"olist_{name}_dataset.csv.gz", dtype=str) for name in names}


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
    assert one(night, "select count(*) from quality.reconciliation") == 32


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


def test_repeat_purchase_rate_equals_pandas(night: duckdb.DuckDBPyConnection, files: dict[str, pd.DataFrame]) -> None:
    occasions = _occasions(files)
    days = occasions.groupby("customer_unique_id").size()
    found = night.execute(
        "select numerator, denominator from marts.loyalty_metrics "
        "where metric = 'repeat_purchase_rate' and segment_type = 'all'"
    ).fetchone()
    assert found == (int((days >= 2).sum()), len(days))


def test_monthly_retention_equals_pandas(night: duckdb.DuckDBPyConnection, files: dict[str, pd.DataFrame]) -> None:
    occasions = _occasions(files)
    occasions["month"] = occasions["day"].dt.to_period("M")
    active = occasions.groupby("month")["customer_unique_id"].agg(set)
    months = pd.period_range(active.index.min(), "2018-09", freq="M")
    expected = {
        month.start_time.date(): (len(active.get(month, set()) & active[month - 1]), len(active[month - 1]))
        for month in months[1:]
        if month - 1 in active.index
    }
    rows = night.execute(
        "select period_start, numerator, denominator from marts.loyalty_metrics "
        "where metric = 'retention_rate' and period_type = 'month' and segment_type = 'all' and denominator > 0"
    ).fetchall()
    assert {start: (int(top), base) for start, top, base in rows} == expected


def test_revenue_of_repeat_purchases_equals_pandas(
    night: duckdb.DuckDBPyConnection, files: dict[str, pd.DataFrame]
) -> None:
    orders = _paid_orders(files)
    first = orders.groupby("customer_unique_id")["day"].transform("min")
    repeat, total = orders.loc[orders["day"] > first, "cents"].sum(), orders["cents"].sum()
    [(top, base)] = night.execute(
        "select numerator, denominator from marts.loyalty_metrics where metric = 'repeat_revenue_share' "
        "and period_type = 'lifetime' and segment_type = 'all'"
    ).fetchall()
    assert (int(top * 100), int(base * 100)) == (int(repeat), int(total))


def test_revenue_churn_by_quarter_equals_pandas(
    night: duckdb.DuckDBPyConnection, files: dict[str, pd.DataFrame]
) -> None:
    orders = _paid_orders(files)
    orders["quarter"] = orders["day"].dt.to_period("Q")
    spent = orders.pivot_table(index="customer_unique_id", columns="quarter", values="cents", aggfunc="sum").fillna(0)
    expected = {}
    for earlier, later in pairwise(spent.columns):
        assert later == earlier + 1
        base = spent[spent[earlier] > 0]
        expected[later.start_time.date()] = (int(base[earlier].sum() - base[later].sum()), int(base[earlier].sum()))
    rows = night.execute(
        "select period_start, numerator, denominator from marts.loyalty_metrics "
        "where metric = 'revenue_churn_rate' and period_type = 'quarter' and segment_type = 'all' and denominator > 0"
    ).fetchall()
    assert {start: (int(top * 100), int(base * 100)) for start, top, base in rows} == expected


def test_median_gap_equals_another_implementation(
    night: duckdb.DuckDBPyConnection, files: dict[str, pd.DataFrame]
) -> None:
    """Nine in ten gaps never close, so that half of them closing is not in sight: the median is unknown, not small."""
    days = _occasions(files).sort_values("day").groupby("customer_unique_id")["day"]
    closed = days.diff().dropna().dt.days
    still_open = (pd.Timestamp("2018-10-29") - days.max()).dt.days
    surviving = stats.ecdf(stats.CensoredData(uncensored=closed.to_numpy(), right=still_open.to_numpy())).sf
    assert surviving.probabilities.min() > 0.5
    [(count_closed, count_gaps, value)] = night.execute(
        "select numerator, denominator, metric_value from marts.loyalty_metrics "
        "where metric = 'purchase_gap_median_days' and period_type = 'lifetime' and segment_type = 'all'"
    ).fetchall()
    assert (count_closed, count_gaps, value) == (len(closed), len(closed) + len(still_open), None)


def test_average_order_value_equals_pandas(night: duckdb.DuckDBPyConnection, files: dict[str, pd.DataFrame]) -> None:
    items = files["order_items"].assign(price=lambda table: table["price"].map(Decimal))
    paid = items.groupby("order_id")["price"].sum()
    valid = files["orders"][~files["orders"]["order_status"].isin(["canceled", "unavailable"])]
    amounts = valid["order_id"].map(paid).dropna()
    value, low, high = night.execute(
        "select metric_value, ci_low, ci_high from marts.loyalty_metrics "
        "where metric = 'average_order_value' and period_type = 'lifetime' and segment_type = 'all'"
    ).fetchone()
    numbers = amounts.astype(float)
    half = 1.959963984540054 * numbers.std(ddof=1) / np.sqrt(len(numbers))
    assert value == pytest.approx(float(amounts.sum()) / len(amounts), rel=1e-12)
    assert (low, high) == pytest.approx((value - half, value + half), rel=1e-9)


def test_satisfaction_equals_pandas(night: duckdb.DuckDBPyConnection, files: dict[str, pd.DataFrame]) -> None:
    reviews = files["order_reviews"].merge(files["orders"][["order_id", "customer_id"]], on="order_id")
    reviews = reviews.merge(files["customers"][["customer_id", "customer_unique_id"]], on="customer_id")
    reviews["at"] = reviews["review_answer_timestamp"].fillna(reviews["review_creation_date"])
    reviews = reviews.dropna(subset=["at"])
    reviews["key"] = "olist:" + reviews["review_id"] + "-" + reviews["order_id"]
    latest = reviews.sort_values(["at", "key"]).groupby("customer_unique_id").tail(1)
    stars = latest["review_score"].astype(int)
    rows = night.execute(
        "select metric, numerator, denominator from marts.loyalty_metrics "
        "where metric like 'csat%' and period_type = 'lifetime' and segment_type = 'all' and denominator > 0 "
        "order by metric"
    ).fetchall()
    assert rows == [
        ("csat_dissatisfied_share", int((stars <= 2).sum()), len(stars)),
        ("csat_share", int((stars >= 4).sum()), len(stars)),
    ]


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


def _paid_orders(files: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Orders that count, with their day and their net in cents; nothing is refunded in this file."""
    prices = files["order_items"].assign(
        cents=lambda table: (table["price"].astype(float) * 100).round().astype("int64")
    )
    paid = prices.groupby("order_id")["cents"].sum()
    orders = files["orders"][~files["orders"]["order_status"].isin(["canceled", "unavailable"])]
    orders = orders[orders["order_id"].isin(paid.index)].merge(files["customers"], on="customer_id")
    orders["cents"] = orders["order_id"].map(paid)
    orders["day"] = pd.to_datetime(orders["order_purchase_timestamp"]).dt.normalize()
    return orders


def _occasions(files: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return _paid_orders(files)[["customer_unique_id", "day"]].drop_duplicates()
