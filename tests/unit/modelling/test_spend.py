"""The spend model against the published fit, its own simulated process, and its limits."""

import numpy as np
import pytest
from derivative_checks import assert_derivatives_agree
from scipy.stats import binom

from dagster_project.modelling import spend
from dagster_project.modelling.maximum_likelihood import DidNotConverge
from dagster_project.modelling.spend import GammaGamma, GammaGammaParams

PUBLISHED = (6.25, 3.74, 15.44)


def simulated(params, count_customers, seed):
    p, q, gamma = params
    rng = np.random.default_rng(seed)
    count = rng.integers(0, 12, count_customers).astype(float)
    nu = rng.gamma(q, 1 / gamma, count_customers)
    mean = np.where(count > 0, rng.gamma(np.maximum(p * count, 1e-9)) / nu / np.maximum(count, 1), np.nan)
    return count, mean, p / nu


def test_intervals_cover_the_truth_as_often_as_they_say():
    """200 shops: the number of 95 % intervals that cover is binomial, for each parameter."""
    covered = []
    for seed in range(200):
        count, mean, _ = simulated(PUBLISHED, 2_000, seed)
        found = GammaGamma.fit(count, mean)
        estimates = np.log([found.params_.p, found.params_.q, found.params_.gamma])
        width = 1.96 * np.sqrt(np.diag(found.log_covariance_))
        covered.append(np.abs(estimates - np.log(PUBLISHED)) <= width)
    low, high = binom.ppf([1e-4, 1 - 1e-4], len(covered), 0.95)
    counts = np.sum(covered, axis=0)
    assert ((counts >= low) & (counts <= high)).all(), counts


def test_published_fit_of_cdnow_is_reproduced(cdnow_history):
    fitted = GammaGamma.fit(
        cdnow_history["count_repeat_occasions_with_spend"], cdnow_history["mean_repeat_occasion_net"]
    )
    params = fitted.params_
    assert [round(p, 2) for p in (params.p, params.q, params.gamma)] == [6.25, 3.74, 15.44]
    assert fitted.log_likelihood_ == pytest.approx(-4055.92, abs=0.005)
    assert fitted.certificate_.count_customers == 946
    assert fitted.count_spend_correlation_ == pytest.approx(0.1139, abs=5e-5)


def test_parameters_are_recovered_from_simulated_buyers():
    fitted = GammaGamma.fit(*simulated(PUBLISHED, 20_000, seed=1)[:2])
    learnt = np.log([fitted.params_.p, fitted.params_.q, fitted.params_.gamma])
    assert (np.abs(learnt - np.log(PUBLISHED)) < 4 * np.sqrt(np.diag(fitted.log_covariance_))).all()


def test_expectation_agrees_with_simulated_customers():
    count, mean, true_mean = simulated(PUBLISHED, 400_000, seed=2)
    expected = GammaGamma.from_params(*PUBLISHED).expected_mean_spend(count, mean)
    for group in [np.flatnonzero(count == 0), *np.array_split(np.argsort(expected), 8)]:
        error = true_mean[group] - expected[group]
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(group.size)


def test_derivatives_agree_with_finite_differences():
    count, mean = [1, 2, 7, 400], [3.0, 50.0, 20.0, 31.0]

    def at(log_params):
        return GammaGamma.log_likelihood_derivatives(GammaGammaParams(*np.exp(log_params)), count, mean)

    assert_derivatives_agree(at, np.log(PUBLISHED))


def test_currency_does_not_matter():
    count, mean, _ = simulated(PUBLISHED, 2_000, seed=3)
    ours = GammaGamma.fit(count, mean).expected_mean_spend(count, mean)
    in_cents = GammaGamma.fit(count, mean * 100).expected_mean_spend(count, mean * 100)
    np.testing.assert_allclose(in_cents, ours * 100, rtol=1e-6)


def test_gamma_gamma_without_repeats_returns_the_population_mean():
    known = GammaGamma.from_params(*PUBLISHED)
    assert known.population_mean == pytest.approx(6.25 * 15.44 / 2.74)
    assert known.expected_mean_spend([0, 0], [np.nan, 12.0]) == pytest.approx([known.population_mean] * 2)


def test_shrinkage_lies_between_population_and_own_mean_and_fades():
    known = GammaGamma.from_params(*PUBLISHED)
    expected = known.expected_mean_spend([1, 5, 100_000], [80.0] * 3)
    assert known.population_mean < expected[0] < expected[1] < expected[2] < 80
    assert expected[2] == pytest.approx(80, rel=1e-4)


def test_infinite_population_mean_falls_back_to_observed_means():
    heavy = GammaGamma.from_params(2.0, 0.9, 10.0, observed_mean_spend=33.0)
    assert not heavy.is_population_mean_defined
    assert heavy.expected_mean_spend([0, 3], [np.nan, 12.0]).tolist() == [33.0, 12.0]
    with pytest.raises(ValueError, match="observed_mean_spend"):
        GammaGamma.from_params(2.0, 0.9, 10.0)


def test_heavy_tailed_spend_is_fitted_and_says_so():
    fitted = GammaGamma.fit(*simulated((3.0, 0.7, 10.0), 5_000, seed=4)[:2])
    assert fitted.params_.q < 1
    assert fitted.to_dict()["is_population_mean_defined"] is False
    assert fitted.population_mean == fitted.observed_mean_spend_


@pytest.mark.parametrize(
    ("count", "mean"), [([0, 0], [np.nan, np.nan]), ([2], [10.0]), ([2] * 50, [10.0] * 50)], ids=str
)
def test_undetermined_parameters_are_refused(count, mean):
    with pytest.raises(DidNotConverge, match="cohort averages"):
        GammaGamma.fit(count, mean)


@pytest.mark.parametrize(("count", "mean"), [(1, 0.0), (2, -3.0), (1.5, 3.0), (-1, 3.0), (1, np.nan), (1, np.inf)])
def test_impossible_spend_is_refused(count, mean):
    with pytest.raises(ValueError, match="customer 0"):
        GammaGamma.fit([count], [mean])


def test_drawn_means_agree_with_the_expectation():
    known = GammaGamma.from_params(*PUBLISHED)
    count, mean = np.repeat([[0.0], [1.0], [9.0]], 60_000, axis=1), np.repeat([[0.0], [50.0], [20.0]], 60_000, axis=1)
    drawn = known.draw_mean_spend(count, mean, np.random.default_rng(1))
    expected = known.expected_mean_spend(count[:, 0], mean[:, 0])
    error = drawn.std(axis=1) / np.sqrt(60_000)
    assert (np.abs(drawn.mean(axis=1) - expected) < 4 * error).all()


def test_counted_rows_give_the_fit_of_all_customers():
    count, mean, _ = simulated(PUBLISHED, 1_000, seed=5)
    customers = np.random.default_rng(5).integers(1, 4, 1_000)
    grouped = GammaGamma.fit(count, mean, customers)
    single = GammaGamma.fit(np.repeat(count, customers), np.repeat(mean, customers))
    assert grouped.log_likelihood_ == pytest.approx(single.log_likelihood_, rel=1e-12)
    ours, theirs = grouped.params_, single.params_
    assert (ours.p, ours.q, ours.gamma) == pytest.approx((theirs.p, theirs.q, theirs.gamma), rel=1e-9)
    assert grouped.certificate_.count_customers == single.certificate_.count_customers


def test_starting_from_a_sample_does_not_change_the_fit(monkeypatch):
    count, mean, _ = simulated(PUBLISHED, 6_000, seed=6)
    whole = GammaGamma.fit(count, mean)
    monkeypatch.setattr(spend, "_SAMPLE_ROWS", 400)
    sampled = GammaGamma.fit(count, mean)
    assert sampled.params_.p == pytest.approx(whole.params_.p, rel=1e-9)
    other = whole.with_params(whole.draw_params(np.random.default_rng(1), 3)[2])
    assert other.params_ != whole.params_
