"""Intervals: the macros against other implementations, and the metric tables against published vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
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


@pytest.mark.parametrize(("n", "least_coverage"), [(5, 0.925), (10, 0.93), (20, 0.94), (50, 0.945)])
def test_net_score_bounds_hold_the_truth_as_often_as_they_say(
    con: duckdb.DuckDBPyConnection, macro_sql: dict[str, str], n: int, least_coverage: float
) -> None:
    """All samples of n answers, each as likely as 21 shops make it: nothing is drawn, so coverage is exact."""
    samples = pd.DataFrame([(p, d, n) for p in range(n + 1) for d in range(n + 1 - p)])
    samples.columns = pd.Index(["promoters", "detractors", "answers"])
    con.register("samples", samples)
    low, high = con.execute(
        f"select {macro_sql['net_score_low']} as low, {macro_sql['net_score_high']} as high from samples"
    ).fetchnumpy().values()  # fmt: skip
    counts = samples.to_numpy()
    scores = (counts[:, 0] - counts[:, 1]) / n
    spread = 1.96 * np.sqrt((counts[:, 0] + counts[:, 1]) / n - scores**2) / np.sqrt(n)
    adjusted, plain = [], []
    for p, d in [(p / 10, d / 10) for p in range(2, 8) for d in range(1, 5) if p + d < 10]:
        chance = stats.multinomial.pmf(
            np.column_stack([counts[:, :2], n - counts[:, 0] - counts[:, 1]]), n, [p, d, 1 - p - d]
        )
        adjusted.append(chance[(low <= 100 * (p - d)) & (100 * (p - d) <= high)].sum())
        plain.append(chance[np.abs(scores - (p - d)) <= spread + 1e-12].sum())
    assert len(adjusted) == 21
    assert min(adjusted) > least_coverage
    assert abs(np.mean(adjusted) - 0.95) < 0.005
    assert np.mean(plain) < np.mean(adjusted) - 0.005


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


# -- ratios ------------------------------------------------------------------------------------------------------------

UNITS = [(3.0, 10.0), (0.0, 4.0), (7.0, 7.0), (2.0, 1.0), (5.0, 12.0), (1.0, 3.0)]


def sums_of(units: list[tuple[float, float]]) -> dict[str, str]:
    ys, xs = np.array(units).T
    exact = {"y": ys.sum(), "x": xs.sum(), "yy": (ys**2).sum(), "xx": (xs**2).sum(), "yx": (ys * xs).sum()}
    return {"n": str(len(units))} | {name: f"cast({total} as decimal(38, 8))" for name, total in exact.items()}


def test_ratio_bound_is_the_mean_bound_of_linearised_residuals(answer: Callable[..., Any]) -> None:
    """The linearised ratio's error is the standard error of the mean residual y - r x, over the mean of x."""
    ys, xs = np.array(UNITS).T
    ratio = ys.sum() / xs.sum()
    error = stats.sem(ys - ratio * xs) / xs.mean()
    half_width = stats.norm.ppf(0.975) * error
    assert answer("ratio_low", **sums_of(UNITS)) == pytest.approx(ratio - half_width)
    assert answer("ratio_high", **sums_of(UNITS)) == pytest.approx(ratio + half_width)


def test_ratio_bound_covers_the_truth_about_as_often_as_it_says(
    con: duckdb.DuckDBPyConnection, macro_sql: dict[str, str]
) -> None:
    """2,000 samples of 200 customers whose spend depends on their exposure: near 95 % of intervals hold the truth."""
    random = np.random.default_rng(11)
    x = random.gamma(2.0, 1.0, (2_000, 200))
    y = 0.4 * x * random.gamma(1.0, 1.0, x.shape)
    samples = {
        "n": np.full(2_000, 200), "y": y.sum(1), "x": x.sum(1), "yy": (y**2).sum(1), "xx": (x**2).sum(1),
        "yx": (x * y).sum(1),
    }  # fmt: skip
    frame = pd.DataFrame(samples)  # noqa: F841 - DuckDB reads it by name
    [(covered,)] = con.execute(
        f"select avg(({macro_sql['ratio_low']} <= 0.4 and {macro_sql['ratio_high']} >= 0.4)::int) from frame"
    ).fetchall()
    assert 0.93 < covered < 0.965


@pytest.mark.parametrize("units", [[], [(1.0, 2.0)], [(1.0, 0.0), (2.0, 0.0)]])
def test_a_ratio_without_units_or_base_has_no_bounds(
    answer: Callable[..., Any], units: list[tuple[float, float]]
) -> None:
    given = sums_of(units) if units else {"n": "0"} | dict.fromkeys(("y", "x", "yy", "xx", "yx"), "0.0")
    assert answer("ratio_low", **given) is None


def test_odds_bound_is_that_of_the_share(answer: Callable[..., Any]) -> None:
    share = stats.binomtest(30, 40).proportion_ci(0.95, method="wilson")
    assert answer("odds_low", k="30", other="10") == pytest.approx(share.low / (1 - share.low))
    assert answer("odds_high", k="30", other="10") == pytest.approx(share.high / (1 - share.high))
    assert answer("odds_low", k="30", other="0") is None


def test_multiple_bound_is_the_delta_method_on_logarithms(answer: Callable[..., Any]) -> None:
    """Means 12 and 4 with standard errors 1.2 and 0.3."""
    z = stats.norm.ppf(0.975)
    given = {
        "a": "12.0", "a_low": str(12 - z * 1.2), "a_high": str(12 + z * 1.2),
        "b": "4.0", "b_low": str(4 - z * 0.3), "b_high": str(4 + z * 0.3),
    }  # fmt: skip
    spread = math.exp(z * math.hypot(1.2 / 12, 0.3 / 4))
    assert answer("multiple_low", **given) == pytest.approx(3 / spread)
    assert answer("multiple_high", **given) == pytest.approx(3 * spread)
    assert answer("multiple_low", **given | {"b": "0.0"}) is None


def test_variation_equals_numpys(answer: Callable[..., Any]) -> None:
    months = np.array([120.5, 80.25, 0.0, 300.0])
    found = answer("variation", n="4", total=str(months.sum()), total_squares=str((months**2).sum()))
    assert found == pytest.approx(months.std(ddof=1) / months.mean())
    assert answer("variation", n="1", total="7.0", total_squares="49.0") is None
