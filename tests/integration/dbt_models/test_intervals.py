"""Intervals: the macros against other implementations, and the metric tables against published vectors."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy import stats

# promoters, passives, detractors -> NPS and its 95 % adjusted Wald interval, to one decimal
NPS_VECTORS = [
    (5, 0, 0, 100, 17.5, 100.0),
    (6, 3, 1, 50, -0.2, 77.1),
    (60, 30, 10, 50, 35.5, 61.6),
    (600, 300, 100, 50, 45.7, 54.0),
]
SHARES = [(0, 1), (1, 1), (0, 10), (1, 10), (5, 10), (9, 10), (10, 10), (30, 1000), (999, 1000)]


@pytest.mark.parametrize(("k", "n"), SHARES)
def test_wilson_equals_another_implementation(answer: Callable[..., Any], k: int, n: int) -> None:
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert answer("wilson_low", k=str(k), n=str(n)) == pytest.approx(expected.low, abs=1e-12)
    assert answer("wilson_high", k=str(k), n=str(n)) == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize("macro", ["wilson_low", "wilson_high", "ratio"])
def test_a_share_without_a_base_is_null(answer: Callable[..., Any], macro: str) -> None:
    assert answer(macro, k="0", n="0") is None
    assert answer(macro, k="cast(null as bigint)", n="3") is None


def test_wilson_takes_exact_decimals(answer: Callable[..., Any]) -> None:
    expected = stats.binomtest(1, 3).proportion_ci(0.95, method="wilson")
    assert answer("wilson_low", k="cast(1 as decimal(18, 4))", n="cast(3 as bigint)") == pytest.approx(expected.low)


@pytest.mark.parametrize("vector", NPS_VECTORS)
def test_net_score_bounds_equal_the_published_vectors(
    answer: Callable[..., Any], vector: tuple[int, int, int, float, float, float]
) -> None:
    promoters, passives, detractors, _, low, high = vector
    counts = {
        "promoters": str(promoters),
        "detractors": str(detractors),
        "answers": str(promoters + passives + detractors),
    }
    assert round(answer("net_score_low", **counts), 1) == low
    assert round(answer("net_score_high", **counts), 1) == high


def test_net_score_bounds_mirror_and_stay_on_the_scale(answer: Callable[..., Any]) -> None:
    loved = {"promoters": "5", "detractors": "0", "answers": "5"}
    hated = {"promoters": "0", "detractors": "5", "answers": "5"}
    assert answer("net_score_high", **loved) == 100
    assert answer("net_score_low", **hated) == -100
    assert answer("net_score_high", **hated) == pytest.approx(-answer("net_score_low", **loved))


@pytest.mark.parametrize("macro", ["net_score_low", "net_score_high"])
def test_a_net_score_without_answers_has_no_bounds(answer: Callable[..., Any], macro: str) -> None:
    assert answer(macro, promoters="0", detractors="0", answers="0") is None


@pytest.mark.parametrize("values", [[1.0, 2.0], [10.0, 20.5, 30.0], [0.01] * 5, [99999.99, 0.01, 3.0, 4.0]])
def test_mean_bound_equals_the_normal_interval(answer: Callable[..., Any], values: list[float]) -> None:
    sums = {
        "n": str(len(values)),
        "total": f"cast({sum(values):.4f} as decimal(18, 4))",
        "total_squares": f"cast({sum(value**2 for value in values):.8f} as decimal(38, 8))",
    }
    half_width = stats.norm.ppf(0.975) * np.std(values, ddof=1) / np.sqrt(len(values))
    assert answer("mean_low", **sums) == pytest.approx(np.mean(values) - half_width, abs=1e-6)
    assert answer("mean_high", **sums) == pytest.approx(np.mean(values) + half_width, abs=1e-6)


@pytest.mark.parametrize("n", ["0", "1"])
def test_a_mean_of_less_than_two_values_has_no_bounds(answer: Callable[..., Any], n: str) -> None:
    assert answer("mean_low", n=n, total="7", total_squares="49") is None


def insert(con: duckdb.DuckDBPyConnection, table: str, **columns: Any) -> None:
    marks = ", ".join(f"? as {name}" for name in columns)
    con.execute(f"insert into {table} by name select {marks}", list(columns.values()))


def test_loyalty_metrics_carry_the_interval_of_their_kind(empty_night_of: Callable[[str], Any]) -> None:
    night = empty_night_of("demo")
    table = night.compiled_model("loyalty_metrics")
    sql = f"select metric, month(period_start), metric_value, ci_low, ci_high from ({table})"
    with night.dbt.warehouse.connect() as con:
        con.execute("begin")
        for month, (promoters, passives, detractors, *_) in enumerate(NPS_VECTORS, start=1):
            insert(
                con,
                "scratch.intermediate.int_feedback_metrics",
                metric="nps",
                period_start=dt.date(2025, month, 1),
                numerator=promoters - detractors,
                denominator=promoters + passives + detractors,
                count_promoters=promoters,
                count_detractors=detractors,
            )
        for metric, numerator, denominator, squares in [
            ("repeat_purchase_rate", 3, 12, None),
            ("repeat_purchase_rate_within_window", 0, 0, None),
            ("retention_rate_classic", 6, 4, None),
            ("purchase_frequency", 6, 3, 14),
            ("average_order_value", 7, 1, 49),
        ]:
            insert(
                con,
                "scratch.intermediate.int_purchase_metrics",
                metric=metric,
                period_start=dt.date(2025, 1, 1),
                numerator=numerator,
                denominator=denominator,
                total_squares=squares,
            )
        rows = con.execute(sql).fetchall()
        con.execute("rollback")

    found = {(metric, month): tuple(numbers) for metric, month, *numbers in rows}
    for month, (*_, value, low, high) in enumerate(NPS_VECTORS, start=1):
        assert found["nps", month] == pytest.approx((value, low, high), abs=0.051)
    wilson = stats.binomtest(3, 12).proportion_ci(0.95, method="wilson")
    assert found["repeat_purchase_rate", 1] == pytest.approx((0.25, wilson.low, wilson.high))
    assert found["repeat_purchase_rate_within_window", 1] == (None, None, None)
    # a ratio above one is no share and has no interval; neither has the mean of one value
    assert found["retention_rate_classic", 1] == (1.5, None, None)
    assert found["average_order_value", 1] == (7.0, None, None)
    # 1, 2 and 3 occasions: mean 2, standard deviation 1
    half_width = stats.norm.ppf(0.975) / np.sqrt(3)
    assert found["purchase_frequency", 1] == pytest.approx((2.0, 2 - half_width, 2 + half_width))
    assert len(found) == len(rows) == 9


def test_cohort_retention_carries_wilson_bounds(empty_night_of: Callable[[str], Any]) -> None:
    night = empty_night_of("demo")
    sql = f"select retention_rate, ci_low, ci_high from ({night.compiled_model('cohort_retention')})"
    with night.dbt.warehouse.connect() as con:
        con.execute("begin")
        for number in range(7):
            insert(
                con,
                "marts.fct_customer_months",
                customer_key=f"c{number}",
                cohort_month=dt.date(2025, 1, 1),
                month_start=dt.date(2025, 2, 1),
                months_since_first_order=1,
                is_active=number < 3,
                is_complete_month=True,
                total_net=0,
            )
        rows = con.execute(sql).fetchall()
        con.execute("rollback")
    wilson = stats.binomtest(3, 7).proportion_ci(0.95, method="wilson")
    assert rows == [pytest.approx((3 / 7, wilson.low, wilson.high))]
