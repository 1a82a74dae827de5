"""What holds for every purchase model: derivatives, fits, predictions and draws against the process itself."""

import json
from dataclasses import astuple

import numpy as np
import pytest
from derivative_checks import assert_derivatives_agree
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from simulated_buyers import KNOWN, played

from dagster_project.modelling.btyd import PURCHASE_MODELS, BetaGeo, ModifiedBetaGeo, ParetoNBD
from dagster_project.modelling.btyd import model as base
from dagster_project.modelling.maximum_likelihood import DidNotConverge

AWKWARD = ([0, 0, 1, 3, 3, 40, 10_000], [0, 0, 2.5, 30, 38, 39, 900], [0, 40, 2.5, 38, 38, 60, 900])
all_models = pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN.keys())
certain_models = pytest.mark.parametrize(
    "known", [KNOWN["bg_nbd"], KNOWN["mbg_nbd"], KNOWN["pareto_nbd"]], ids=lambda known: known.name
)


def fitted(kind, buyers, unit=1.0, **more):
    total_log_gap = buyers.total_log_gap + buyers.x.sum() * np.log(unit)
    return kind.fit(buyers.x, buyers.t_x * unit, buyers.age * unit, total_log_gap=total_log_gap, **more)


def estimates(model):
    return np.array([getattr(model.params_, name) for name in model.estimated])


def test_every_known_model_is_registered():
    assert PURCHASE_MODELS.keys() == KNOWN.keys()


@all_models
@pytest.mark.parametrize("count_customers", [None, [3, 1, 2, 1, 5, 1, 1]], ids=["one_each", "weighted"])
def test_derivatives_agree_with_finite_differences(known, count_customers):
    def at(log_params):
        moved = known.with_params(np.exp(log_params)).params_
        return known.log_likelihood_derivatives(moved, *AWKWARD, count_customers)

    assert_derivatives_agree(at, np.log(estimates(known)))


@all_models
def test_predictions_and_draws_agree_with_played_futures(known):
    horizon = 26.0
    buyers = played(known, np.random.default_rng(5).uniform(1, 52, 150_000), horizon, seed=11)
    drawn = known.draw_purchases(*buyers.histories, horizon, np.random.default_rng(6))
    expected = known.expected_purchases(*buyers.histories, horizon)
    no_purchase = known.probability_no_purchase(*buyers.histories, horizon)
    for future in (buyers.future, drawn):
        for predicted, happened in ((expected, future), (no_purchase, future == 0)):
            groups = np.array_split(np.argsort(predicted), 10) + [np.flatnonzero(buyers.x == x) for x in range(4)]
            for group in groups:
                error = (happened[group] - predicted[group]).mean()
                assert abs(error) < 4.5 * happened[group].std() / np.sqrt(group.size)


@all_models
@pytest.mark.parametrize("history", [(0, 0, 40), (2, 30.43, 38.86), (40, 39, 40), (0, 0, 0)])
def test_no_purchase_is_the_likelihood_of_having_been_watched_for_longer(known, history):
    x, t_x, age = ([number] for number in history)
    for horizon in (0.5, 39.0, 500.0):
        seen, unseen = (
            known.log_likelihood_derivatives(known.params_, x, t_x, [age[0] + more])[0] for more in (0, horizon)
        )
        ours = known.probability_no_purchase(*history, horizon)
        assert ours == pytest.approx(np.exp(unseen - seen), rel=1e-9)


@all_models
def test_draws_do_not_depend_on_anything_but_the_seed(known):
    histories = ([0, 2, 7], [0, 12.0, 20], [30, 30.0, 21])
    ours, again = (known.draw_purchases(*histories, [5.0, 10, 20], np.random.default_rng(1)) for _ in range(2))
    assert ours.tolist() == again.tolist()
    assert (known.draw_purchases(*histories, 0.0, np.random.default_rng(1)) == 0).all()


@all_models
def test_unit_of_time_does_not_matter(known):
    buyers = played(known, np.random.default_rng(7).integers(20, 60, 4_000), 0.0, seed=13)
    in_weeks = fitted(type(known), buyers)
    for unit in (7.0, 604_800.0):
        other = fitted(type(known), buyers, unit)
        for predict in ("expected_purchases", "probability_no_purchase"):
            ours = getattr(other, predict)(buyers.x, buyers.t_x * unit, buyers.age * unit, 39 * unit)
            theirs = getattr(in_weeks, predict)(*buyers.histories, 39)
            np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)
        shift = buyers.x.sum() * np.log(unit)
        assert other.log_likelihood_ == pytest.approx(in_weeks.log_likelihood_ - shift, rel=1e-9)


@all_models
def test_distinct_histories_with_counts_give_the_fit_of_all_customers(known):
    buyers = played(known, np.full(5_000, 39.0), 0.0, seed=14)
    rows = np.stack([buyers.x, np.ceil(buyers.t_x), buyers.age])
    distinct, counts = np.unique(rows, axis=1, return_counts=True)
    everyone = type(known).fit(*rows, total_log_gap=buyers.total_log_gap)
    grouped = type(known).fit(*distinct, counts, total_log_gap=buyers.total_log_gap)
    np.testing.assert_allclose(astuple(grouped.params_), astuple(everyone.params_), rtol=1e-9)
    assert grouped.log_likelihood_ == pytest.approx(everyone.log_likelihood_, rel=1e-12)
    assert grouped.certificate_.count_customers == 5_000


@all_models
def test_order_of_customers_does_not_matter(known):
    buyers = played(known, np.full(3_000, 39.0), 0.0, seed=15)
    shuffled = np.random.default_rng(0).permutation(buyers.x.size)
    gaps = buyers.total_log_gap
    ours = type(known).fit(*buyers.histories, total_log_gap=gaps)
    other = type(known).fit(*(column[shuffled] for column in buyers.histories), total_log_gap=gaps)
    np.testing.assert_allclose(astuple(other.params_), astuple(ours.params_), rtol=1e-9)


@certain_models
def test_starting_from_a_sample_does_not_change_the_fit(known, monkeypatch):
    buyers = played(known, np.random.default_rng(8).integers(20, 60, 8_000), 0.0, seed=16)
    whole = fitted(type(known), buyers)
    monkeypatch.setattr(base, "SAMPLE_ROWS", 500)
    np.testing.assert_allclose(estimates(fitted(type(known), buyers)), estimates(whole), rtol=1e-9)


@all_models
def test_intervals_cover_the_truth_as_often_as_they_say(known):
    """200 shops: the number of 95 % intervals that cover is binomial, for each parameter, given the stages of a gap."""
    truth, covered = np.log(estimates(known)), []
    for seed in range(200):
        buyers = played(known, np.random.default_rng(1_000 + seed).integers(26, 80, 1_500), 0.0, seed=seed)
        try:
            found = known.refitted(*buyers.histories)
        except DidNotConverge:
            continue
        width = 1.96 * np.sqrt(np.diag(found.log_covariance_))
        covered.append(np.abs(np.log(estimates(found)) - truth) <= width)
    assert len(covered) >= 195
    low, high = binom.ppf([1e-4, 1 - 1e-4], len(covered), 0.95)
    counts = np.sum(covered, axis=0)
    assert ((counts >= low) & (counts <= high)).all(), counts


@all_models
def test_drawn_parameters_make_models_and_given_ones_have_no_draws(known):
    buyers = played(known, np.random.default_rng(9).integers(20, 60, 3_000), 0.0, seed=17)
    found = fitted(type(known), buyers)
    drawn = found.draw_params(np.random.default_rng(2), 50)
    assert drawn.shape == (50, len(found.estimated))
    other = found.with_params(drawn[0])
    np.testing.assert_allclose(estimates(other), drawn[0])
    assert other.certificate_ is None
    with pytest.raises(ValueError, match="given parameters"):
        known.draw_params(np.random.default_rng(2), 1)


@all_models
def test_description_of_a_fit_makes_the_same_model_again(known):
    described = json.loads(json.dumps(known.to_dict()))
    again = PURCHASE_MODELS[described["model"]].from_params(**described["params"])
    assert again.params_ == known.params_


@all_models
def test_predictions_keep_the_shape_of_histories_and_horizons(known):
    x, t_x, age = np.array([[0, 2], [0, 5]]), np.array([[0, 9.0], [0, 8.0]]), np.full((2, 2), 10.0)
    for horizon, shape in ((3.0, (2, 2)), ([1.0, 2.0], (2, 2)), (np.arange(5.0)[:, None, None], (5, 2, 2))):
        for predict in (known.expected_purchases, known.probability_no_purchase):
            together = predict(x, t_x, age, horizon)
            assert together.shape == shape
            one = predict(x[1, 1], t_x[1, 1], age[1, 1], np.broadcast_to(horizon, shape)[..., 1, 1])
            np.testing.assert_allclose(together[..., 1, 1], one, rtol=1e-12)
    assert known.probability_alive(x, t_x, age).shape == (2, 2)
    assert known.expected_purchases([], [], [], 3.0).shape == (0,)


@all_models
@pytest.mark.parametrize(
    ("history", "rule"),
    [
        ((-1, 1, 5), "whole number"),
        ((1.5, 1, 5), "whole number"),
        ((2, 6, 5), "time_to_last <= time_observed"),
        ((0, 0, -3), "time_to_last <= time_observed"),
        ((0, 3, 5), "exactly where"),
        ((3, 0, 5), "exactly where"),
        ((1, np.nan, 5), "finite"),
        ((np.nan, 1, 5), "finite"),
        ((1, 3, np.inf), "finite"),
    ],
)
def test_impossible_histories_are_refused_with_the_rule(known, history, rule):
    with pytest.raises(ValueError, match=rule):
        known.probability_alive(*history)
    with pytest.raises(ValueError, match=rule):
        known.fit(*([1, number] for number in history), total_log_gap=0.0)


@all_models
def test_impossible_horizons_counts_and_parameters_are_refused(known):
    with pytest.raises(ValueError, match="horizon"):
        known.expected_purchases(1, 2, 3, -1)
    with pytest.raises(ValueError, match="one for each of 2 rows"):
        known.fit([0, 1], [0, 3], [9, 9], [1.0])
    with pytest.raises(ValueError, match="row 1 stands for 0 customers"):
        known.fit([0, 1], [0, 3], [9, 9], [1.0, 0.0])
    with pytest.raises(ValueError, match="above 0"):
        known.from_params(*[-1.0] * len(astuple(known.params_)))
    with pytest.raises(ValueError, match="one shape"):
        known.probability_alive([1, 2], [1], [3])


shapes = st.floats(0.01, 30.0)


@st.composite
def a_history(draw):
    age = draw(st.floats(0.0, 5_000.0))
    t_x = draw(st.one_of(st.just(age), st.floats(0.0, age)))
    return (draw(st.integers(1, 10_000)), t_x, age) if t_x > 0 else (0, 0.0, age)


@all_models
@settings(derandomize=True, deadline=None, max_examples=150)
@given(params=st.tuples(shapes, st.floats(0.01, 500.0), shapes, shapes), history=a_history(), reach=st.floats(0.0, 4.0))
def test_predictions_stay_in_range_and_move_one_way(known, params, history, reach):
    moved = known.with_params(params)
    h = reach * (params[1] + history[2])
    horizons = np.array([0.0, h / 2, h, 2 * h])
    expected = moved.expected_purchases(*history, horizons)
    no_purchase = moved.probability_no_purchase(*history, horizons)
    alive = moved.probability_alive(*history)
    assert np.isfinite(expected).all()
    assert expected[0] == 0
    assert (np.diff(expected) >= -1e-9 * (1 + expected[-1])).all()
    assert 0 <= alive <= 1
    assert no_purchase[0] == 1
    assert (np.diff(no_purchase) <= 1e-12).all()
    assert ((no_purchase >= 1 - alive - 1e-12) & (no_purchase <= 1)).all()
    assert (expected >= (1 - no_purchase) * (1 - 1e-9) - 1e-12).all()


def test_published_fit_of_cdnow_is_reproduced(cdnow_history):
    weeks = cdnow_history[["days_first_to_last_order", "days_observed"]] / 7
    x = cdnow_history["count_repeat_occasions"]
    fit = BetaGeo.fit(x, *(weeks[column] for column in weeks))
    assert [round(p, 3) for p in astuple(fit.params_)] == [0.243, 4.414, 0.793, 2.426]
    assert fit.log_likelihood_ == pytest.approx(-9582.4, abs=0.05)
    assert fit.expected_purchases(2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=5e-4)
    assert fit.certificate_.count_starts_agreeing == fit.certificate_.count_starts
    fit = ParetoNBD.fit(x, *(weeks[column] for column in weeks))
    assert [round(p, 3) for p in astuple(fit.params_)] == [0.553, 10.578, 0.606, 11.669]
    assert fit.log_likelihood_ == pytest.approx(-9595.0, abs=0.05)


def test_published_fit_of_cdnow_in_days_is_the_same(cdnow_history):
    days = cdnow_history[["days_first_to_last_order", "days_observed"]]
    x = cdnow_history["count_repeat_occasions"]
    fit = BetaGeo.fit(x, *(days[column] for column in days))
    r, alpha, a, b = astuple(fit.params_)
    assert [round(p, 3) for p in (r, alpha / 7, a, b)] == [0.243, 4.414, 0.793, 2.426]
    fit = ParetoNBD.fit(x, *(days[column] for column in days))
    r, alpha, s, beta = astuple(fit.params_)
    assert [round(p, 3) for p in (r, alpha / 7, s, beta / 7)] == [0.553, 10.578, 0.606, 11.669]


def test_one_time_buyers_can_have_left_in_mbg_only():
    ages = np.array([4.0, 52.0, 200.0])
    nothing = np.zeros(3)
    published = (0.243, 4.414, 0.793, 2.426)
    modified = ModifiedBetaGeo.from_params(*published).probability_alive(nothing, nothing, ages)
    assert modified.round(3).tolist() == [0.723, 0.622, 0.546]
    assert BetaGeo.from_params(*published).probability_alive(nothing, nothing, ages).tolist() == [1, 1, 1]
