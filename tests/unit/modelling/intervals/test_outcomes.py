"""Distributions around a forecast: their moments, their inverses, and shapes found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import lognorm

from dagster_project.modelling.intervals.outcomes import (
    USUAL_NET,
    USUAL_REST,
    Forecast,
    Outcomes,
    Shape,
    none_in_keeping,
)

FORECAST = Forecast.of([0.0, 0.02, 0.5, 3.0, 12.0], [1.0, 0.985, 0.7, 0.2, 0.01], [0.0, 1.0, 20.0, 90.0, 400.0])


def _drawn(outcomes: Outcomes, forecast: Forecast, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Orders and net drawn as the docstring of the module says, with no function of it."""
    rng = np.random.default_rng(seed)
    buyer, n = forecast.orders_of_buyer, forecast.orders.size
    size = np.exp(outcomes.rest.log_scale) * buyer**outcomes.rest.power
    spread = np.exp(outcomes.net_spread.log_scale) * buyer**outcomes.net_spread.power
    bought = rng.random(n) >= forecast.no_order
    rest = rng.poisson(rng.gamma(size, np.maximum(buyer - 1, 0) / size))
    net = forecast.net_of_buyer * np.exp(rng.normal(-(spread**2) / 2, spread))
    return np.where(bought, 1 + rest, 0).astype(float), np.where(bought, net, 0.0)


def _many(n: int = 50_000, seed: int = 1) -> Forecast:
    rng = np.random.default_rng(seed)
    orders = rng.gamma(0.5, 3.0, n)
    return Forecast.of(orders, np.exp(-orders) * 0.9 + 0.1, orders * rng.gamma(5.0, 4.0, n))


def test_mean_and_probability_of_none_are_the_forecasts():
    counts = np.arange(2_000)
    for row in range(FORECAST.orders.size):
        one = Forecast.of(
            *(np.repeat(side[row], counts.size) for side in (FORECAST.orders, FORECAST.no_order, FORECAST.net))
        )
        up_to = Outcomes().orders_up_to(one, counts)
        assert up_to[0] == pytest.approx(one.no_order[0], abs=1e-12)
        assert (1 - up_to).sum() == pytest.approx(one.orders[0], rel=1e-6, abs=1e-9)


def test_corrected_orders_move_the_probability_of_none_as_a_change_of_pace():
    assert none_in_keeping(0.3, 1.7, 1.7) == 0.3
    # a Poisson customer's own: P(none) = e^-orders before and after
    np.testing.assert_allclose(none_in_keeping(np.exp([-0.2, -3.0]), [0.2, 3.0], [0.5, 1.0]), np.exp([-0.5, -1.0]))


def test_someone_given_up_by_the_model_alone_is_a_buyer_of_few_orders():
    for expected, none in ((1e-9, 1 - 1e-9), (1e-20, 1.0), (0.0, 1.0)):
        one = Forecast.of([0.05], none_in_keeping([none], [expected], [0.05]), [1.0])
        assert one.no_order[0] == pytest.approx(np.exp(-0.05))
        assert one.orders_of_buyer[0] == pytest.approx(0.05 / -np.expm1(-0.05))
    assert none_in_keeping(0.2, 1.0, 0.0) == 1
    assert none_in_keeping(0.0, 5.0, 2.0) == 0


def test_net_given_an_order_is_log_normal_around_its_mean():
    spread = USUAL_NET.at(FORECAST.orders_of_buyer)[1:]
    mean, none = FORECAST.net_of_buyer[1:], FORECAST.no_order[1:]
    other = lognorm(s=spread, scale=mean * np.exp(-(spread**2) / 2))
    assert other.mean() == pytest.approx(mean)
    money = np.array([0.0, 30.0, 60.0, 90.0, 400.0])
    expected = none + (1 - none) * other.cdf(money[1:])
    assert Outcomes().net_up_to(FORECAST, money)[1:] == pytest.approx(expected)


@given(st.floats(0.0, 0.999))
def test_quantiles_are_the_smallest_outcomes_that_reach_the_probability(probability):
    outcomes = Outcomes()
    count = outcomes.orders_quantile(FORECAST, probability)
    assert (outcomes.orders_up_to(FORECAST, count) >= probability - 1e-9).all()
    assert (outcomes.orders_up_to(FORECAST, count - 1) <= probability + 1e-9).all()
    net = outcomes.net_quantile(FORECAST, probability)
    assert (outcomes.net_up_to(FORECAST, net) >= probability - 1e-9).all()
    assert (net[probability <= FORECAST.no_order] == 0).all()


def test_probability_of_none_that_contradicts_the_mean_is_raised():
    forecast = Forecast.of([0.2, 0.2], [0.1, 0.9], [1, 1])
    assert forecast.no_order == pytest.approx([0.8, 0.9])
    assert forecast.orders_of_buyer == pytest.approx([1.0, 2.0])


def test_shapes_are_found_again():
    planted = Outcomes(Shape(0.7, 0.5), Shape(-0.5, -0.2))
    forecast = _many()
    found = Outcomes.fit(forecast, *_drawn(planted, forecast, seed=2))
    for name in ("rest", "net_spread"):
        assert getattr(found, name).log_scale == pytest.approx(getattr(planted, name).log_scale, abs=0.15)
        assert getattr(found, name).power == pytest.approx(getattr(planted, name).power, abs=0.1)


def test_without_buyers_the_usual_shapes_stay():
    found = Outcomes.fit(FORECAST, np.zeros(5), np.zeros(5))
    assert (found.rest, found.net_spread) == (USUAL_REST, USUAL_NET)


def test_one_buyer_moves_the_shapes_a_little():
    found = Outcomes.fit(FORECAST, [0, 0, 0, 0, 40], [0, 0, 0, 0, 9_000])
    assert found.rest.log_scale != USUAL_REST.log_scale
    assert abs(found.rest.log_scale - USUAL_REST.log_scale) < 1
    assert abs(found.net_spread.log_scale - USUAL_NET.log_scale) < 1


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (([-1.0], [0.5], [1.0]), "orders=-1"),
        (([1.0], [1.5], [1.0]), "no_order=1.5"),
        (([1.0], [0.5], [np.nan]), "net=nan"),
        (([1.0, 2.0], [0.5], [1.0]), "shapes"),
    ],
)
def test_impossible_forecast_is_refused(columns, found):
    with pytest.raises(ValueError, match=found):
        Forecast.of(*columns)


@pytest.mark.parametrize(
    ("orders", "net", "found"),
    [([0.5] * 5, [0] * 5, "whole count"), ([0] * 5, [np.nan] * 5, "whole count"), ([0] * 4, [0] * 4, "shapes")],
)
def test_impossible_outcome_is_refused(orders, net, found):
    with pytest.raises(ValueError, match=found):
        Outcomes.fit(FORECAST, orders, net)
