"""Expected purchases of BG/NBD and MBG/NBD against a quadrature without their closed form."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta as beta_distribution

from dagster_project.modelling.btyd import BetaGeo, ModifiedBetaGeo

MODELS = [BetaGeo, ModifiedBetaGeo]
PUBLISHED = (0.243, 4.414, 0.793, 2.426)
both_models = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def expected_by_quadrature(model, params, history, horizon):
    """E[(1 - E e^(-rate p h)) / p] over the posterior of p, times P(alive): no hypergeometric function."""
    r, alpha, a, b = params
    x, t_x, age = history
    chances = x + (model.name == "mbg_nbd")
    width = horizon / (alpha + age)

    def integrand(u):
        p = beta_distribution.ppf(u, a, b + chances)
        return -np.expm1(-(r + x) * np.log1p(p * width)) / p if p > 0 else (r + x) * width

    alive = model.from_params(*params).probability_alive(x, t_x, age)
    return alive * quad(integrand, 0, 1, limit=500, epsabs=1e-11, epsrel=1e-10)[0]


@both_models
@pytest.mark.parametrize(
    "params",
    [
        PUBLISHED,
        (0.9, 6.0, 1.0, 3.0),
        (2.0, 30.0, 0.4, 0.6),
        (0.02, 65.0, 1.3, 0.2),
        (5.0, 1.0, 8.0, 20.0),
        (0.03, 0.03, 49.0, 1.0),
    ],
)
@pytest.mark.parametrize("history", [(0, 0, 0), (0, 0, 40), (2, 30.43, 38.86), (40, 39, 40), (10_000, 900, 900)])
@pytest.mark.parametrize("horizon", [0.01, 39, 5_000])
def test_expected_purchases_agree_with_quadrature(model, params, history, horizon):
    ours = model.from_params(*params).expected_purchases(*history, horizon)
    assert ours == pytest.approx(expected_by_quadrature(model, params, history, horizon), rel=1e-6, abs=1e-9)


@both_models
def test_expectation_is_smooth_where_the_closed_form_is_singular(model):
    around = [
        model.from_params(0.5, 5.0, a, b).expected_purchases([0, 3], [0, 9], [10, 10], 20)
        for a, b in [(1 - 1e-7, 2), (1, 2), (1 + 1e-7, 2), (0.4, 0.6 - 1e-9), (0.4, 0.6), (0.4, 0.6 + 1e-9)]
    ]
    np.testing.assert_allclose(around[:3], [around[1]] * 3, rtol=1e-6)
    np.testing.assert_allclose(around[3:], [around[4]] * 3, rtol=1e-6)
