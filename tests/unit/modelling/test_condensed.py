"""Regular gaps: one stage is the plain model, more stages are found where they are."""

from dataclasses import astuple

import numpy as np
import pytest
from simulated_buyers import KNOWN, played

from dagster_project.modelling.btyd import BetaGeo, CondensedBetaGeo, ModifiedBetaGeo, ModifiedCondensedBetaGeo

PLAIN = {CondensedBetaGeo: BetaGeo, ModifiedCondensedBetaGeo: ModifiedBetaGeo}
PARAMS = (0.8, 6.0, 0.7, 2.0)
both_models = pytest.mark.parametrize("model", PLAIN, ids=lambda model: model.name)


@both_models
def test_one_stage_predicts_as_the_plain_model(model):
    ours, plain = model.from_params(1, *PARAMS), PLAIN[model].from_params(*PARAMS)
    x, t_x, age = np.array([[0, 0, 0], [0, 0, 40], [2, 30.43, 38.86], [40, 39, 40], [10_000, 900, 900]]).T
    np.testing.assert_allclose(ours.probability_alive(x, t_x, age), plain.probability_alive(x, t_x, age), rtol=1e-11)
    for horizon in (0.01, 39.0, 700.0):
        for predict in ("expected_purchases", "probability_no_purchase"):
            theirs = getattr(plain, predict)(x, t_x, age, horizon)
            np.testing.assert_allclose(getattr(ours, predict)(x, t_x, age, horizon), theirs, rtol=2e-10)


@both_models
def test_one_stage_fits_as_the_plain_model(model):
    buyers = played(PLAIN[model].from_params(*PARAMS), np.full(4_000, 39.0), 0.0, seed=3)
    ours, plain = model.fit_stages(1, *buyers.histories), PLAIN[model].fit(*buyers.histories)
    np.testing.assert_allclose(astuple(ours.params_)[1:], astuple(plain.params_), rtol=1e-9)
    assert ours.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-12)


@pytest.mark.parametrize("known", [KNOWN["bg_cnbd_k"], KNOWN["mbg_cnbd_k"]], ids=lambda known: known.name)
def test_stages_and_parameters_are_recovered(known):
    buyers = played(known, np.random.default_rng(6).integers(10, 80, 20_000), 0.0, seed=4)
    fitted = type(known).fit(*buyers.histories, total_log_gap=buyers.total_log_gap)
    k, *learnt = astuple(fitted.params_)
    assert k == known.params_.k
    errors = np.log(learnt) - np.log(astuple(known.params_)[1:])
    assert (np.abs(errors) < 4 * np.sqrt(np.diag(fitted.log_covariance_))).all()


@both_models
def test_irregular_buyers_have_one_stage(model):
    buyers = played(PLAIN[model].from_params(*PARAMS), np.full(20_000, 39.0), 0.0, seed=5)
    assert model.fit(*buyers.histories, total_log_gap=buyers.total_log_gap).params_.k == 1


def test_log_likelihood_is_the_density_of_the_gaps():
    """One customer with gaps 2 and 5, then silence until 10: the integral over rate and drop-out by brute force."""
    k, r, alpha, a, b = 3, 0.9, 2.0, 0.7, 2.0
    rng = np.random.default_rng(8)
    rate, drop_out = rng.gamma(r, 1 / alpha, 2_000_000), rng.beta(a, b, 2_000_000)
    gaps = np.array([2.0, 5.0])
    density = np.prod([rate**k * gap ** (k - 1) * np.exp(-rate * gap) / 2 for gap in gaps], axis=0)
    silent = np.exp(-3 * rate) * (1 + 3 * rate + (3 * rate) ** 2 / 2)
    likelihoods = density * (1 - drop_out) * ((1 - drop_out) * silent + drop_out)
    known = CondensedBetaGeo.from_params(k, r, alpha, a, b)
    ours = known.log_likelihood_derivatives(known.params_, [2], [7.0], [10.0])[0]
    ours += (k - 1) * np.log(gaps).sum() - 2 * np.log(2)
    error = likelihoods.std() / np.sqrt(likelihoods.size)
    assert np.exp(ours) == pytest.approx(likelihoods.mean(), abs=4 * error)


def test_log_gaps_that_are_absent_or_of_other_purchases_are_refused():
    histories = ([2, 1, 0], [9.0, 4.0, 0.0], [20.0, 20.0, 20.0])
    with pytest.raises(ValueError, match="no total_log_gap"):
        CondensedBetaGeo.fit(*histories)
    with pytest.raises(ValueError, match="same unit of time"):
        CondensedBetaGeo.fit(*histories, total_log_gap=np.log([4.5, 4.5, 4.0]).sum() + 0.1)
    with pytest.raises(ValueError, match="whole number of stages"):
        CondensedBetaGeo.from_params(1.5, *PARAMS)
