"""Shops that break fits elsewhere: every fit here ends with a maximum that can be checked, or with a clear refusal."""

import numpy as np
import pytest
from simulated_buyers import KNOWN, played

from dagster_project.modelling.btyd import PURCHASE_MODELS
from dagster_project.modelling.maximum_likelihood import DidNotConverge
from dagster_project.modelling.spend import GammaGamma


def shop(name, x, t_x, age, *, refused=None):
    return pytest.param(*(np.asarray(column, dtype=float) for column in (x, t_x, age)), refused, id=name)


def buyers(count, longest, seed, known=KNOWN["mbg_nbd"]):
    made = played(known, np.random.default_rng(seed).integers(1, longest + 1, count), 0.0, seed)
    return np.stack([made.x, np.minimum(np.ceil(made.t_x), made.age), made.age])


def beside(crowd, *odd):
    return np.concatenate((crowd, np.array(odd, dtype=float).T), axis=1)


CROWD = buyers(2_000, 60, 1)
REPEATERS = CROWD[:, CROWD[0] > 0]
SHOPS = [
    shop("nobody_came_back", [0] * 900, [0] * 900, np.arange(900), refused="no repeat purchase"),
    shop("everybody_today", [0] * 50, [0] * 50, [0] * 50, refused="no repeat purchase"),
    shop("nobody", [], [], [], refused="no repeat purchase"),
    shop("one_customer", [4], [30], [40], refused="no certified maximum"),
    shop("one_customer_who_left", [1], [3], [900], refused="no certified maximum"),
    shop("two_customers", [1, 0], [3, 0], [9, 9], refused="no certified maximum"),
    shop("identical_customers", [3] * 600, [30] * 600, [40] * 600, refused="no certified maximum"),
    shop("identical_but_one", [3] * 600 + [0], [30] * 600 + [0], [40] * 601),
    shop("one_repeat_among_thousands", [1] + [0] * 9_999, [5] + [0] * 9_999, [30] * 10_000),
    shop("one_who_bought_10_000_times", *beside(CROWD, (10_000, 58, 60))),
    shop(
        "only_one_bought_and_10_000_times",
        *beside(np.array([[0.0] * 500, [0.0] * 500, [60.0] * 500]), (10_000, 58, 60)),
    ),
    shop("half_joined_today", *np.concatenate((CROWD, np.zeros((3, 2_000))), axis=1)),
    shop("open_for_30_days", *buyers(800, 4, 2)),
    shop("open_for_two_days", [1, 0, 0, 1] * 200, [1, 0, 0, 1] * 200, [1, 1, 0, 1] * 200),
    shop("all_came_back_today", REPEATERS[0], REPEATERS[2], REPEATERS[2]),
    shop("all_left_on_the_first_day", [1] * 300 + [0] * 300, [1] * 300 + [0] * 300, [365] * 600),
    shop("nobody_ever_leaves", *buyers(800, 60, 3, type(KNOWN["bg_nbd"]).from_params(2.0, 4.0, 1e-6, 10.0))),
    shop("all_alike_in_rate", *buyers(800, 60, 4, type(KNOWN["bg_nbd"]).from_params(1e6, 4e6, 0.7, 2.0))),
    shop("centuries", CROWD[0], CROWD[1] * 1e9, CROWD[2] * 1e9),
    shop("nanoseconds", CROWD[0], CROWD[1] * 1e-9, CROWD[2] * 1e-9),
    shop("few_customers", *buyers(30, 60, 5)),
]
all_kinds = pytest.mark.parametrize("kind", PURCHASE_MODELS.values(), ids=PURCHASE_MODELS.keys())


def even_gaps(x, t_x):
    """The largest sum of log gaps that these histories allow."""
    repeats = x > 0
    return float((x[repeats] * np.log(t_x[repeats] / x[repeats])).sum())


def fitted_or_refusal(fit):
    try:
        return fit(), None
    except DidNotConverge as refusal:
        return None, str(refusal)


@all_kinds
@pytest.mark.parametrize(("x", "t_x", "age", "refused"), SHOPS)
def test_fit_ends_with_a_maximum_or_a_refusal(kind, x, t_x, age, refused):
    fitted, refusal = fitted_or_refusal(lambda: kind.fit(x, t_x, age, total_log_gap=even_gaps(x, t_x)))
    if fitted is None:
        assert (refused or "no certified maximum") in refusal
        assert "or use cohort averages" in refusal
        return
    assert refused is None
    _, slope, bend = kind.log_likelihood_derivatives(fitted.params_, x, t_x, age)
    assert np.abs(slope).max() / x.size < 1e-6
    assert np.linalg.eigvalsh(-bend).min() > 0.03
    for predicted in (
        fitted.expected_purchases(x, t_x, age, age.max()),
        fitted.probability_no_purchase(x, t_x, age, age.max()),
        fitted.probability_alive(x, t_x, age),
    ):
        assert np.isfinite(predicted).all()
        assert (predicted >= 0).all()


@all_kinds
def test_clock_in_the_future_is_an_error(kind):
    with pytest.raises(ValueError, match="time_to_last <= time_observed"):
        kind.fit([1, 0], [4, 0], [9, -2], total_log_gap=1.0)


def test_ordinary_crowd_among_the_hostile_shops_is_fitted():
    """The corpus would pass with a fit that refuses everything; this one must not."""
    for name in ("bg_nbd", "mbg_nbd", "pareto_nbd"):
        assert PURCHASE_MODELS[name].fit(*CROWD).certificate_.smallest_eigenvalue > 1


@pytest.mark.parametrize(
    ("count", "mean"),
    [
        pytest.param([], [], id="nobody"),
        pytest.param([0, 0], [np.nan, np.nan], id="nobody_with_spend"),
        pytest.param([2], [10.0], id="one_customer"),
        pytest.param([2] * 50, [10.0] * 50, id="identical_customers"),
        pytest.param([1] * 500, np.linspace(1, 9, 500), id="one_purchase_each"),
        pytest.param([3] * 500, np.r_[[5.0] * 499, 1e9], id="one_millionaire"),
        pytest.param([10_000, *[1] * 500], np.r_[7.0, np.linspace(1, 9, 500)], id="one_with_10_000_purchases"),
        pytest.param([2, 5] * 300, [1e-9, 1e-9 * 3] * 300, id="tiny_amounts"),
        pytest.param(np.arange(1, 400), np.geomspace(1e-3, 1e6, 399), id="nine_orders_of_magnitude"),
    ],
)
def test_spend_fit_ends_with_a_maximum_or_a_refusal(count, mean):
    fitted, refusal = fitted_or_refusal(lambda: GammaGamma.fit(count, mean))
    if fitted is None:
        assert "cohort averages" in refusal
        return
    _, slope, bend = GammaGamma.log_likelihood_derivatives(fitted.params_, count, mean)
    assert np.abs(slope).max() / len(count) < 1e-6
    assert np.linalg.eigvalsh(-bend).min() > 0.03
    expected = fitted.expected_mean_spend(count, mean)
    assert (np.isfinite(expected) & (expected > 0)).all()
