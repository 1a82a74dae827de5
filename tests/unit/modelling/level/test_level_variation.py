"""Parts told apart: against scikit-learn's Gaussian processes, by hand, and on ratios whose parts are known."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, ExpSineSquared

from dagster_project.modelling.level import variation as variation_module
from dagster_project.modelling.level.variation import Moments, mean_factor, prior_uncertainty, told_apart


def _days(count: int, start: float = -1_000.0) -> Moments:
    days = start + 14.0 * np.arange(count)
    return Moments(days, np.full(count, 100.0), np.full(count, -500.0))


def _ratios(of, seed: int, noise: float = 0.05, count: int = 70):
    moments = _days(count)
    rng = np.random.default_rng(seed)
    return moments, of(moments.day) + rng.normal(0, noise, count), np.full(count, noise**2)


def test_season_equals_that_of_another_library():
    moments, ratio, variance = _ratios(lambda day: 0.3 * np.sin(2 * np.pi * day / 365.25), seed=1)
    found = told_apart(moments, ratio, variance, ("season",))
    size, reach = found.sizes["season"], np.sqrt(variation_module.SEASON_REACH**2)
    kernel = ConstantKernel(size**2, "fixed") * ExpSineSquared(reach, 365.25, "fixed", "fixed")
    other = GaussianProcessRegressor(kernel, alpha=variance, optimizer=None).fit(moments.day[:, None], ratio)
    wanted = _days(20, start=7.0)
    mean, covariance = other.predict(wanted.day[:, None], return_cov=True)
    np.testing.assert_allclose(found.part("season", wanted), mean, atol=1e-8)
    np.testing.assert_allclose(found.uncertainty(("season",), wanted), covariance, atol=1e-8)


def test_size_of_the_season_is_at_the_top_of_its_posterior_density():
    moments, ratio, variance = _ratios(lambda day: 0.3 * np.sin(2 * np.pi * day / 365.25), seed=2)
    found = told_apart(moments, ratio, variance, ("season",))

    def log_density(size):
        kernel = ConstantKernel(size**2, "fixed") * ExpSineSquared(
            variation_module.SEASON_REACH, 365.25, "fixed", "fixed"
        )
        process = GaussianProcessRegressor(kernel, alpha=variance, optimizer=None).fit(moments.day[:, None], ratio)
        prior = (np.log(size / variation_module.PARTS["season"][1]) / variation_module.PRIOR_SPREAD) ** 2 / 2
        return process.log_marginal_likelihood_value_ - prior

    best = found.sizes["season"]
    assert all(log_density(best) > log_density(best * factor) for factor in (0.97, 1.03))


def test_parts_and_the_rest_add_up_to_what_was_seen():
    moments, ratio, variance = _ratios(lambda day: 0.2 * np.sin(2 * np.pi * day / 365.25) + day / 5_000, seed=3)
    found = told_apart(moments, ratio, variance)
    parts = sum(found.part(name, moments) for name in found.sizes)
    np.testing.assert_allclose(parts + variance * found.weights_, ratio, atol=1e-9)


def test_known_season_is_found_within_its_error_and_the_level_stays_out():
    def season(day):
        return 0.3 * np.sin(2 * np.pi * day / 365.25)

    wanted = _days(26, start=7.0)
    misses = []
    for seed in range(10):
        found = told_apart(*_ratios(season, seed))
        errors = np.sqrt(np.diag(found.uncertainty(("season", "level"), wanted)))
        misses.append((found.part("season", wanted) + found.part("level", wanted) - season(wanted.day)) / errors)
    assert np.sqrt(np.mean(np.square(misses))) < 1.2
    assert 0.15 < found.sizes["season"] < 0.6


def test_nothing_is_made_of_noise():
    wanted = _days(7, start=7.0)
    for seed in range(5):
        found = told_apart(*_ratios(np.zeros_like, seed))
        assert np.abs(found.part("season", wanted) + found.part("level", wanted)).max() < 0.06


def test_step_down_is_a_level_that_is_forgotten():
    found = told_apart(*_ratios(lambda day: np.where(day > -200, -0.3, 0.05), seed=5))
    near, far = found.part("level", _days(1, start=7.0))[0], found.part("level", _days(1, start=700.0))[0]
    assert near < -0.1
    assert abs(far) < abs(near) / 10


def test_mean_factor_by_hand():
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    factors, errors = mean_factor(np.log([1.0, 3.0]), covariance)
    assert factors == pytest.approx([1.0, 2.0])
    assert errors == pytest.approx([0.2, np.sqrt(0.04 + 2 * 3 * 0.01 + 9 * 0.09) / 4])


def test_unknown_shop_has_the_usual_uncertainty():
    usual = prior_uncertainty(("season", "level"), _days(3))
    assert np.sqrt(np.diag(usual)) == pytest.approx(np.hypot(0.15, 0.10))
