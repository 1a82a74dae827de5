"""The two purchase models against the published fit, their own simulated process, and independent quadrature."""

from dataclasses import astuple

import numpy as np
import pytest
from derivative_checks import assert_derivatives_agree
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta as beta_distribution

from dagster_project.modelling.btyd import BetaGeo, BetaGeoParams, ModifiedBetaGeo
from dagster_project.modelling.maximum_likelihood import DidNotConverge

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


def test_published_fit_of_cdnow_is_reproduced(cdnow_history):
    weeks = cdnow_history[["days_first_to_last_order", "days_observed"]] / 7
    fitted = BetaGeo.fit(cdnow_history["count_repeat_occasions"], *(weeks[column] for column in weeks))
    params = fitted.params_
    assert [round(p, 3) for p in (params.r, params.alpha, params.a, params.b)] == [0.243, 4.414, 0.793, 2.426]
    assert fitted.log_likelihood_ == pytest.approx(-9582.4, abs=0.05)
    assert fitted.expected_purchases(2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=5e-4)
    assert fitted.certificate_.count_starts_agreeing == fitted.certificate_.count_starts


def test_one_time_buyers_can_have_left_in_mbg_only():
    ages = np.array([4.0, 52.0, 200.0])
    nothing = np.zeros(3)
    modified = ModifiedBetaGeo.from_params(*PUBLISHED).probability_alive(nothing, nothing, ages)
    assert modified.round(3).tolist() == [0.723, 0.622, 0.546]
    assert BetaGeo.from_params(*PUBLISHED).probability_alive(nothing, nothing, ages).tolist() == [1, 1, 1]


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


@both_models
def test_predictions_agree_with_simulated_futures(model, simulate):
    params, horizon = (0.8, 6.0, 0.7, 2.0), 26.0
    ages = np.random.default_rng(5).uniform(1, 52, 400_000)
    x, t_x, age, future = simulate(model, params, ages, horizon, seed=11)
    known = model.from_params(*params)
    expected = known.expected_purchases(x, t_x, age, horizon)
    no_purchase = known.probability_no_purchase(x, t_x, age, horizon)
    for predicted, happened in ((expected, future), (no_purchase, future == 0)):
        groups = np.array_split(np.argsort(predicted), 10) + [np.flatnonzero(x == count) for count in range(4)]
        for group in groups:
            error = (happened[group] - predicted[group]).mean()
            assert abs(error) < 4 * happened[group].std() / np.sqrt(group.size)


@both_models
def test_parameters_are_recovered_from_simulated_buyers(model, simulate):
    truth = (0.8, 6.0, 0.7, 2.0)
    ages = np.random.default_rng(6).integers(10, 80, 20_000)
    x, t_x, age, _ = simulate(model, truth, ages, 0.0, seed=12)
    fitted = model.fit(x, t_x, age)
    learnt = np.log([fitted.params_.r, fitted.params_.alpha, fitted.params_.a, fitted.params_.b])
    assert (np.abs(learnt - np.log(truth)) < 4 * np.sqrt(np.diag(fitted.log_covariance_))).all()


@both_models
def test_unit_of_time_does_not_matter(model, simulate):
    ages = np.random.default_rng(7).integers(20, 60, 3_000)
    x, t_x, age, _ = simulate(model, PUBLISHED, ages, 0.0, seed=13)
    in_weeks = model.fit(x, t_x, age)
    for unit in (7.0, 604_800.0):
        other = model.fit(x, t_x * unit, age * unit)
        for name in ("expected_purchases", "probability_no_purchase"):
            ours = getattr(other, name)(x, t_x * unit, age * unit, 39 * unit)
            np.testing.assert_allclose(ours, getattr(in_weeks, name)(x, t_x, age, 39), rtol=1e-6)


@both_models
def test_derivatives_agree_with_finite_differences(model):
    x, t_x, age = [0, 0, 1, 3, 40, 10_000], [0, 0, 2.5, 30, 39, 900], [0, 40, 2.5, 38, 60, 900]

    def at(log_params):
        return model.log_likelihood_derivatives(BetaGeoParams(*np.exp(log_params)), x, t_x, age)

    assert_derivatives_agree(at, np.log([0.6, 5.0, 0.8, 2.4]))


@both_models
def test_fit_does_not_depend_on_the_order_of_customers(model, simulate):
    x, t_x, age, _ = simulate(model, PUBLISHED, np.full(2_000, 39.0), 0.0, seed=14)
    shuffled = np.random.default_rng(0).permutation(x.size)
    in_order, in_disorder = model.fit(x, t_x, age), model.fit(x[shuffled], t_x[shuffled], age[shuffled])
    np.testing.assert_allclose(astuple(in_disorder.params_), astuple(in_order.params_), rtol=1e-9)


@both_models
@pytest.mark.parametrize(
    "histories",
    [
        pytest.param(([0, 0, 0], [0, 0, 0], [5, 9, 30]), id="nobody_came_back"),
        pytest.param(([3] * 600, [30] * 600, [40] * 600), id="identical_customers"),
        pytest.param(([1], [3], [9]), id="one_customer"),
    ],
)
def test_undetermined_parameters_are_refused(model, histories):
    with pytest.raises(DidNotConverge, match="cohort averages"):
        model.fit(*histories)


@both_models
@pytest.mark.parametrize(
    ("history", "rule"),
    [
        ((-1, 1, 5), "whole number"),
        ((1.5, 1, 5), "whole number"),
        ((2, 6, 5), "time_to_last <= time_observed"),
        ((0, 3, 5), "exactly where"),
        ((3, 0, 5), "exactly where"),
        ((1, np.nan, 5), "finite"),
        ((1, 3, np.inf), "finite"),
    ],
)
def test_impossible_histories_are_refused_with_the_rule(model, history, rule):
    with pytest.raises(ValueError, match=rule):
        model.from_params(*PUBLISHED).probability_alive(*history)


def test_impossible_parameters_and_horizons_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        BetaGeo.from_params(0.2, 4.0, -1.0, 2.0)
    with pytest.raises(ValueError, match="horizon"):
        BetaGeo.from_params(*PUBLISHED).expected_purchases(1, 2, 3, -1)


@st.composite
def a_history(draw):
    age = draw(st.floats(0.0, 5_000.0))
    t_x = draw(st.one_of(st.just(age), st.floats(0.0, age)))
    return (draw(st.integers(1, 10_000)), t_x, age) if t_x > 0 else (0, 0.0, age)


shapes = st.floats(0.01, 50.0)


@both_models
@settings(derandomize=True, deadline=None, max_examples=300)
@given(params=st.tuples(shapes, st.floats(0.01, 500.0), shapes, shapes), history=a_history(), h=st.floats(0, 1e5))
def test_predictions_stay_in_range_and_move_one_way(model, params, history, h):
    known = model.from_params(*params)
    horizons = np.array([0.0, h / 2, h, 2 * h])
    expected = known.expected_purchases(*history, horizons)
    no_purchase = known.probability_no_purchase(*history, horizons)
    alive = known.probability_alive(*history)
    assert np.isfinite(expected).all()
    assert expected[0] == 0
    assert (np.diff(expected) >= -1e-9 * (1 + expected[-1])).all()
    assert 0 <= alive <= 1
    assert no_purchase[0] == 1
    assert (np.diff(no_purchase) <= 1e-12).all()
    assert ((no_purchase >= 1 - alive - 1e-12) & (no_purchase <= 1)).all()
    assert (expected >= (1 - no_purchase) * (1 - 1e-9) - 1e-12).all()


def test_description_of_a_fit_makes_the_same_model_again():
    described = ModifiedBetaGeo.from_params(*PUBLISHED).to_dict()
    assert described["model"] == "mbg_nbd"
    again = ModifiedBetaGeo.from_params(**described["params"])
    assert again.params_ == BetaGeoParams(*PUBLISHED)
