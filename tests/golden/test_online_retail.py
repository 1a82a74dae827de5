"""Online Retail II as it is published: overlapping sheets, cancellations, lines without a customer."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pandas as pd
import pytest
from real_shops import OpenNight
from tidy_shops import PARTS, invoice_lines

from dagster_project.explaining.claims import MULTIPLES
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.sensitivity import estimate, write_one_state


@pytest.fixture(scope="module")
def night(open_night: OpenNight) -> duckdb.DuckDBPyConnection:
    return open_night("online_retail")


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    return invoice_lines()


def total(table: pd.DataFrame) -> Decimal:
    return Decimal(int(table["amount"].sum())) / PARTS


def test_the_overlapping_sheets_count_once_with_the_reason(night: duckdb.DuckDBPyConnection) -> None:
    rows = night.execute("select reasons, count(*) from quality.quarantined_rows group by reasons").fetchall()
    assert rows == [("repeats a line of the overlapping sheet", 22_523)]


def test_every_line_is_sold_cancelled_or_refused(night: duckdb.DuckDBPyConnection) -> None:
    counted = night.execute(
        "select (select count(*) from marts.fct_order_lines) + (select count(*) from marts.fct_refunds) "
        "+ (select count(*) from quality.quarantined_rows)"
    ).fetchone()
    assert counted == (1_067_370,)


def test_lines_and_cancellations_agree_with_the_file_to_the_cent(
    night: duckdb.DuckDBPyConnection, lines: pd.DataFrame
) -> None:
    is_cancellation = lines["Invoice"].str.startswith("C")
    [(sold, refunded)] = night.execute(
        "select (select sum(original_line_amount) from marts.fct_order_lines), "
        "(select sum(original_refund_amount) from marts.fct_refunds)"
    ).fetchall()
    assert sold == total(lines[~is_cancellation])
    assert refunded == -total(lines[is_cancellation])


def test_cancellations_are_netted_on_the_order_they_cancel(night: duckdb.DuckDBPyConnection) -> None:
    [(on_orders, linked, unlinked)] = night.execute(
        "select (select sum(refunded_amount) from marts.fct_orders), "
        "(select sum(refund_amount) from marts.fct_refunds where is_linked), "
        "(select count(*) from marts.fct_refunds where not is_linked and order_key is not null)"
    ).fetchall()
    assert on_orders == linked > 700_000
    assert unlinked == 0
    [(later_than_refund,)] = night.execute(
        "select count(*) from marts.fct_refunds join marts.fct_orders using (order_key) where ordered_at > refunded_at"
    ).fetchall()
    assert later_than_refund == 0


def test_lines_without_a_customer_stay_visible_as_an_exclusion(
    night: duckdb.DuckDBPyConnection, lines: pd.DataFrame
) -> None:
    nobody = lines[(lines["Customer ID"] == "") & ~lines["Invoice"].str.startswith("C")]
    [(kept_lines, kept_amount)] = night.execute(
        "select sum(count_lines), (select sum(original_line_amount) from marts.fct_order_lines "
        "where order_key in (select order_key from marts.fct_orders where customer_key is null)) "
        "from marts.order_exclusions where customer_key is null"
    ).fetchall()
    assert kept_lines == len(nobody)
    assert kept_amount == total(nobody)
    reasons = {
        reason
        for (reason,) in night.execute(
            "select distinct exclusion_reason from marts.order_exclusions where customer_key is null"
        ).fetchall()
    }
    assert {"guest_unlinked", "zero_value", "adjustment"} <= reasons


def test_all_totals_are_reconciled_to_zero(night: duckdb.DuckDBPyConnection) -> None:
    assert night.execute("select count(*), sum(abs(difference)) from quality.reconciliation").fetchall() == [(28, 0)]


def test_repeat_buyers_are_most_buyers(night: duckdb.DuckDBPyConnection) -> None:
    [(value, base)] = night.execute(
        "select metric_value, denominator from marts.loyalty_metrics "
        "where metric = 'repeat_purchase_rate' and segment_type = 'all'"
    ).fetchall()
    assert base == 5_850
    assert value == pytest.approx(0.714, abs=0.001)


@pytest.mark.parametrize("metric", MULTIPLES)
def test_what_the_loyal_spend_is_explained_by_the_number_that_was_told(
    night: duckdb.DuckDBPyConnection, metric: str
) -> None:
    """Customers of long before the window are in this shop, some of whom came back in it."""
    write_one_state(night, dt.date(2011, 12, 9))
    found = estimate(night, metric, None, Rules())
    told = night.execute(
        "select metric_value, ci_low, ci_high, count_observations from marts.loyalty_metrics "
        "where metric = ? and segment_type = 'all'",
        [metric],
    ).fetchone()
    assert (found.value, found.low, found.high, found.count_observations) == pytest.approx(told, rel=1e-9)


def test_the_models_fit_and_are_back_tested_beside_their_baselines(night: duckdb.DuckDBPyConnection) -> None:
    assert night.execute("select distinct status from models.customer_clv").fetchall() == [("fitted",)]
    scores = dict(
        night.execute(
            "select model, arg_max(score_value, cutoff_date) from models.model_scores "
            "where prediction = 'no_order' and score = 'roc_auc' and segment_type = 'all' group by model"
        ).fetchall()
    )
    assert scores["mbg_nbd"] > 0.75
    assert set(scores) >= {"mbg_nbd", "days_since_last_order", "base_rate"}
    [(zero, model)] = night.execute(
        "select max(score_value) filter (model = 'zero'), max(score_value) filter (model = 'mbg_nbd') "
        "from models.model_scores where prediction = 'orders' and score = 'rmse' and segment_type = 'all'"
    ).fetchall()
    assert model < zero
