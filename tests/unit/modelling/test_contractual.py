"""Subscribers' tenures: the published fits, the derivatives, and what cannot be fitted."""

import json

import numpy as np
import pytest
from derivative_checks import assert_derivatives_agree
from scipy.optimize import minimize
from scipy.special import betaln

from dagster_project.modelling.contractual import BetaDiscreteWeibull, ContractParams, ShiftedBetaGeometric
from dagster_project.modelling.maximum_likelihood import DidNotConverge

# Fader and Hardie 2007, table 1: of 1,000 subscribers, how many are left after each year
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173]
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]


def tenures(survivors):
    """(renewals, has left, subscribers): those lost in year k renewed k - 1 times; the last are still there."""
    lost = -np.diff(survivors)
    years = np.arange(lost.size)
    return np.r_[years, lost.size], np.r_[np.ones(lost.size), 0], np.r_[lost, survivors[-1]]


@pytest.mark.parametrize(
    ("survivors", "a", "b", "log_likelihood"),
    [(REGULAR, 0.704, 1.182, -1680.27), (HIGH_END, 0.668, 3.806, -1611.16)],
    ids=["regular", "high_end"],
)
def test_published_fits_to_seven_years_are_reproduced(survivors, a, b, log_likelihood):
    fitted = ShiftedBetaGeometric.fit(*tenures(survivors[:8]))
    assert (round(fitted.params_.a, 3), round(fitted.params_.b, 3)) == (a, b)
    assert fitted.log_likelihood_ == pytest.approx(log_likelihood, abs=6e-3)


def test_duration_dependence_of_the_high_end_is_found_and_projects_better():
    """The high end fitted to its first four years, as in the 2018 paper."""
    seen, seen_late = HIGH_END[:5], np.array(HIGH_END[5:]) / 1000
    dependent, plain = (model.fit(*tenures(seen)) for model in (BetaDiscreteWeibull, ShiftedBetaGeometric))
    published = (0.259, 1.722, 1.584)
    assert (dependent.params_.a, dependent.params_.b, dependent.params_.c) == pytest.approx(published, abs=1e-3)
    assert dependent.log_likelihood_ > plain.log_likelihood_ + 1
    errors = [np.abs(model.survival(np.arange(5, 13)) - seen_late).max() for model in (dependent, plain)]
    assert errors[0] < 0.02 < errors[1]


@pytest.mark.parametrize("survivors", [REGULAR[:8], HIGH_END[:8], HIGH_END[:5], REGULAR])
def test_fit_agrees_with_a_derivative_free_search(survivors):
    renewals, left, count = tenures(survivors)

    def loss(log_params):
        a, b, c = np.exp(log_params)
        log_s = betaln(a, b + np.r_[renewals, renewals[-1] + 1.0] ** c) - betaln(a, b)
        s = np.exp(log_s)
        return -(count[:-1] @ np.log(s[:-2] - s[1:-1]) + count[-1] * log_s[-2])

    options = {"xatol": 1e-10, "fatol": 1e-12, "maxiter": 5_000, "maxfev": 5_000}
    search = minimize(loss, np.log([0.5, 2.0, 1.2]), method="Nelder-Mead", options=options)
    fitted = BetaDiscreteWeibull.fit(renewals, left, count)
    ours = [fitted.params_.a, fitted.params_.b, fitted.params_.c]
    np.testing.assert_allclose(ours, np.exp(search.x), rtol=1e-4)
    assert fitted.log_likelihood_ == pytest.approx(-search.fun, abs=1e-7)


@pytest.mark.parametrize("model", [ShiftedBetaGeometric, BetaDiscreteWeibull])
def test_derivatives_agree_with_finite_differences(model):
    def at(log_params):
        return model.log_likelihood_derivatives(ContractParams(*np.exp(log_params)), *tenures(HIGH_END))

    assert_derivatives_agree(at, np.log([0.8, 3.0, 1.3][: len(model.estimated)]))


def test_power_of_one_is_the_plain_model():
    plain, powered = ShiftedBetaGeometric.from_params(0.668, 3.806), BetaDiscreteWeibull.from_params(0.668, 3.806, 1)
    assert plain.survival(np.arange(9)).tolist() == powered.survival(np.arange(9)).tolist()


def test_predictions_agree_with_played_subscriptions():
    a, b, c = 0.7, 2.0, 1.4
    rng = np.random.default_rng(3)
    theta = rng.beta(a, b, 400_000)
    # (1 - theta)^(t^c) is the chance to survive t renewals: its inverse at a uniform number is the tenure
    tenure = np.ceil((np.log(rng.random(theta.size)) / np.log1p(-theta)) ** (1 / c)) - 1
    known = BetaDiscreteWeibull.from_params(a, b, c)
    for t in range(6):
        assert (tenure >= t).mean() == pytest.approx(known.survival(t), abs=0.004)
        assert (tenure[tenure >= t] > t).mean() == pytest.approx(known.retention_rate(t), abs=0.006)


def test_description_and_draws_of_a_fit():
    fitted = ShiftedBetaGeometric.fit(*tenures(REGULAR))
    described = json.loads(json.dumps(fitted.to_dict()))
    assert ShiftedBetaGeometric.from_params(**described["params"]).params_ == fitted.params_
    assert fitted.draw_params(np.random.default_rng(1), 7).shape == (7, 2)


@pytest.mark.parametrize(
    ("renewals", "left"),
    [([], []), ([3, 4, 9], [0, 0, 0]), ([0, 0, 0], [1, 1, 1]), ([5] * 900, [1] * 900), ([2], [1])],
    ids=["nobody", "nobody_left", "nobody_renewed", "all_left_together", "one_subscriber"],
)
@pytest.mark.parametrize("model", [ShiftedBetaGeometric, BetaDiscreteWeibull])
def test_undetermined_tenures_are_refused(model, renewals, left):
    with pytest.raises(DidNotConverge, match="cohort averages"):
        model.fit(renewals, left)


def test_impossible_tenures_and_parameters_are_refused():
    with pytest.raises(ValueError, match="row 1 has -2 renewals"):
        ShiftedBetaGeometric.fit([1, -2], [0, 1])
    with pytest.raises(ValueError, match=r"row 0 has 1\.5 renewals"):
        ShiftedBetaGeometric.fit([1.5, 2], [0, 1])
    with pytest.raises(ValueError, match="2 tenures and 1 marks"):
        ShiftedBetaGeometric.fit([1, 2], [0])
    with pytest.raises(ValueError, match="above 0"):
        BetaDiscreteWeibull.from_params(1.0, -1.0)
    with pytest.raises(ValueError, match="c = 1"):
        ShiftedBetaGeometric.from_params(1.0, 1.0, 2.0)
