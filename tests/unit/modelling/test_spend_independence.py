"""The correlation of purchases and spend against SciPy's, and where there is none."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from dagster_project.modelling.spend_independence import spend_independence


def test_correlations_agree_with_scipy():
    rng = np.random.default_rng(1)
    count = rng.integers(1, 9, 3_000).astype(float)
    mean = rng.gamma(5, 4, 3_000) * (1 + count / 30)
    found = spend_independence(count, mean)
    plain, ranks = pearsonr(count, mean), spearmanr(count, mean)
    interval = plain.confidence_interval(0.95)
    assert found.correlation == pytest.approx(plain.statistic)
    assert (found.correlation_low, found.correlation_high) == pytest.approx((interval.low, interval.high))
    assert found.rank_correlation == pytest.approx(ranks.statistic)
    assert found.rank_p_value == pytest.approx(ranks.pvalue)
    assert not found.is_notable


def test_counted_rows_stand_for_their_customers():
    rng = np.random.default_rng(2)
    count, mean, customers = rng.integers(0, 5, 80), rng.gamma(5, 4, 80).round(), rng.integers(1, 6, 80)
    grouped = spend_independence(count, mean, customers)
    single = spend_independence(np.repeat(count, customers), np.repeat(mean, customers))
    for name, ours in grouped.to_dict().items():
        assert ours == pytest.approx(getattr(single, name)), name
    assert grouped.count_customers == customers[count > 0].sum()


def test_strong_dependence_is_notable():
    count = np.arange(1, 50)
    assert spend_independence(count, 100.0 - count).is_notable


@pytest.mark.parametrize(("count", "mean"), [([], []), ([0, 0], [1, 2]), ([2] * 9, range(9)), (range(1, 9), [5] * 8)])
def test_what_does_not_vary_has_no_correlation(count, mean):
    found = spend_independence(count, mean)
    assert (found.correlation, found.rank_correlation, found.is_notable) == (None, None, False)


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 counts and 1 means"):
        spend_independence([1, 2], [3.0])
