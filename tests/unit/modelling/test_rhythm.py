"""A customer's rhythm: moments held against an analysis of variance, own gaps shrunk to all customers', open gaps."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import lognorm

from dagster_project.modelling.next_purchase.next_order import SHARES
from dagster_project.modelling.rhythm import MINIMUM_CUSTOMERS, Rhythm, gap_multiple, usual_gap_days


def customers_of(gaps: list[list[int]], waited: int = 10) -> pd.DataFrame:
    """Rows as of `customer_features`, from each customer's gaps."""
    logs = [np.log(one) for one in gaps]
    total = np.array([sum(one) for one in gaps])
    return pd.DataFrame(
        {
            "count_repeat_occasions": [len(one) for one in gaps],
            "total_log_gap": [one.sum() for one in logs],
            "total_squared_log_gap": [(one**2).sum() for one in logs],
            "days_first_to_last_order": total,
            "days_observed": total + waited,
        }
    )


def test_variances_of_equal_counts_are_those_of_an_analysis_of_variance():
    """With five gaps each: within is the mean square within, between the rest of the mean square between, over 5."""
    rng = np.random.default_rng(2)
    gaps = [list(np.exp(rng.normal(3 + rng.normal(0, 0.5), 0.3, 5)).astype(int) + 1) for _ in range(60)]
    logs = np.log(gaps)
    within = logs.var(axis=1, ddof=1).mean()
    between = logs.mean(axis=1).var(ddof=1) - within / 5
    found = Rhythm.of(customers_of([*gaps, [], []]))
    assert found is not None
    assert (found.within, found.between) == pytest.approx((within, between))
    assert found.mean == pytest.approx(logs.mean())


def test_the_usual_gap_is_the_customers_own_shrunk_to_all_customers():
    known, rhythm = customers_of([[20, 5], [40], []], waited=30), Rhythm(np.log(20.0), 1.0, 0.5)
    weights = np.array([2 / (2 + 2), 1 / (1 + 2), 0])
    own = np.array([np.log(10.0), np.log(40.0), 0])
    usual = np.exp(weights * own + (1 - weights) * np.log(20.0))
    assert usual_gap_days(rhythm, known) == pytest.approx(usual)
    assert gap_multiple(rhythm, known) == pytest.approx(30 / usual)


@pytest.mark.parametrize(
    "gaps",
    [
        pytest.param([[]] * 100, id="nobody came again"),
        pytest.param([[10, 20]] * (MINIMUM_CUSTOMERS - 1) + [[5]] * 500, id="too few with two gaps"),
        pytest.param([[10, 10]] * 100, id="all gaps alike"),
    ],
)
def test_without_enough_gaps_nothing_is_usual(gaps):
    known = customers_of(gaps)
    assert Rhythm.of(known) is None
    assert np.isnan(usual_gap_days(None, known)).all()
    assert np.isnan(gap_multiple(None, known)).all()


def test_quantiles_are_those_of_a_gap_that_has_lasted_so_long():
    rhythm, waited = Rhythm(np.log(40.0), 0.25, 0.0), 30
    rows = customers_of([[]], waited)
    gap = lognorm(s=0.5, scale=40.0)
    below, within = gap.cdf(waited), gap.cdf(waited + 365) - gap.cdf(waited)
    expected = gap.ppf(below + SHARES * within) - waited
    np.testing.assert_allclose(rhythm.days_to_next(rows, SHARES, 365)[0], expected, rtol=1e-9)


def test_own_gaps_weigh_more_the_more_there_are():
    rhythm = Rhythm(np.log(50.0), 0.5, 0.5)
    rows = pd.DataFrame({"count_repeat_occasions": [0, 1, 99], "total_log_gap": [0.0, np.log(10.0), 99 * np.log(10.0)]})
    mean, spread = rhythm.of_customers(rows)
    np.testing.assert_allclose(np.exp(mean[:2]), [50.0, np.sqrt(500.0)])
    assert np.exp(mean[2]) == pytest.approx(10.0, rel=0.02)
    assert (np.diff(spread) < 0).all()


def test_a_wait_beyond_all_gaps_still_gives_days_within_the_year():
    rows = customers_of([[3] * 5], waited=3_000)
    days = Rhythm(np.log(3.0), 0.01, 0.0).days_to_next(rows, SHARES, 365)[0]
    assert np.isfinite(days).all()
    assert (np.diff([0, *days, 365]) > 0).all()
