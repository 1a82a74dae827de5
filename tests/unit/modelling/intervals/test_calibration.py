"""Coverage: the score by hand, nominal coverage of futures drawn from a purchase model, and forecasts put right."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.modelling.btyd import ModifiedBetaGeo
from dagster_project.modelling.intervals.calibration import LEVELS, Intervals, Recalibration, randomised_coverage
from dagster_project.modelling.intervals.outcomes import Forecast

HORIZON = 180.0
SHOPS = {"frequent": (1.2, 25.0, 0.6, 4.0), "sparse": (0.3, 100.0, 2.0, 1.0)}


def _customers(shop: str, simulate, seed: int, n: int = 6_000) -> tuple[Forecast, np.ndarray, np.ndarray]:
    """The true model's forecast of a simulated shop, what customers then ordered, and what they spent."""
    params = SHOPS[shop]
    rng = np.random.default_rng(seed)
    x, t_x, age, orders = simulate(ModifiedBetaGeo, params, rng.integers(1, 500, n), HORIZON, seed)
    model = ModifiedBetaGeo.from_params(*params)
    mean = model.expected_purchases(x, t_x, age, HORIZON)
    none = model.probability_no_purchase(x, t_x, age, HORIZON)
    spend = rng.gamma(4.0, 5.0, n)
    net = spend * rng.gamma(np.maximum(6 * orders, 1e-9), 1 / 6)
    return Forecast.of(mean, none, mean * spend), orders, np.where(orders > 0, net, 0.0)


def _coverages(intervals: Intervals, forecast: Forecast, orders, net) -> dict[str, list[float]]:
    around = {"orders": intervals.orders_around(forecast, orders), "net": intervals.net_around(forecast, net)}
    return {name: [randomised_coverage(*edges, level) for level in LEVELS] for name, edges in around.items()}


def test_randomised_coverage_by_hand():
    below, up_to = [0.0, 0.0, 0.95, 0.2], [1.0, 0.5, 0.99, 0.2]
    # A sure thing counts as 80 %; the second lies between .1 and .5 with .4 of its .5; the third never; the last does.
    assert randomised_coverage(below, up_to, 0.8) == pytest.approx((0.8 + 0.8 + 0 + 1) / 4)


def test_randomised_coverage_is_nominal_for_everybody_sure_to_stay_away():
    assert randomised_coverage(np.zeros(9), np.full(9, 1.0), 0.95) == pytest.approx(0.95)


def test_randomised_coverage_of_nobody_or_of_a_missing_forecast_is_undefined():
    assert randomised_coverage([], [], 0.8) is None
    assert randomised_coverage([0.1, np.nan], [0.2, 0.3], 0.8) is None


@pytest.mark.parametrize(
    ("below", "up_to", "level", "found"),
    [
        ([0.5], [0.4], 0.8, "below <= up_to"),
        ([0.1], [1.2], 0.8, "below <= up_to"),
        ([0.1], [0.2, 0.3], 0.8, "shapes"),
        ([0.1], [0.2], 80, "level is 80"),
    ],
)
def test_randomised_coverage_refuses_what_is_no_probability(below, up_to, level, found):
    with pytest.raises(ValueError, match=found):
        randomised_coverage(below, up_to, level)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_randomised_coverage_does_not_depend_on_the_order_of_rows(pairs, level):
    below, up_to = np.sort(np.array(pairs), axis=1).T
    one = randomised_coverage(below, up_to, level)
    assert one == pytest.approx(randomised_coverage(below[::-1], up_to[::-1], level), abs=1e-12)
    assert -1e-12 <= one <= 1 + 1e-12


@pytest.mark.parametrize("shop", SHOPS)
def test_intervals_cover_new_customers_as_often_as_they_say(shop, simulate):
    intervals = Intervals.fit(*_customers(shop, simulate, seed=1))
    forecast, orders, net = _customers(shop, simulate, seed=2)
    for covered in _coverages(intervals, forecast, orders, net).values():
        for level, share in zip(LEVELS, covered, strict=True):
            assert share == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / orders.size) + 0.005)


@pytest.mark.parametrize("shop", SHOPS)
def test_closed_intervals_cover_at_least_as_often(shop, simulate):
    intervals = Intervals.fit(*_customers(shop, simulate, seed=3))
    forecast, orders, net = _customers(shop, simulate, seed=4)
    for level in LEVELS:
        low, high = intervals.orders(forecast, level)
        assert ((low <= orders) & (orders <= high)).mean() > level - 0.02
        assert (low <= high).all()
        least, most = intervals.net(forecast, level)
        assert ((least <= net + 1e-9) & (net <= most + 1e-9)).mean() > level - 0.02


def test_forecast_that_is_half_too_low_is_put_right_by_its_back_test(simulate):
    def halved(forecast: Forecast) -> Forecast:
        return Forecast.of(forecast.orders / 2, forecast.no_order, forecast.net / 2)

    forecast, orders, net = _customers("frequent", simulate, seed=5, n=12_000)
    intervals = Intervals.fit(halved(forecast), orders, net)
    forecast, orders, net = _customers("frequent", simulate, seed=6)
    before = _coverages(Intervals(), halved(forecast), orders, net)
    after = _coverages(intervals, halved(forecast), orders, net)
    assert abs(before["net"][1] - 0.8) > 0.05
    for covered in after.values():
        assert covered[1] == pytest.approx(0.8, abs=0.02)


def test_wider_levels_hold_narrower_ones(simulate):
    intervals = Intervals.fit(*_customers("frequent", simulate, seed=7, n=2_000))
    forecast, _, _ = _customers("frequent", simulate, seed=8, n=500)
    for ask in (intervals.orders, intervals.net):
        ends = [ask(forecast, level) for level in LEVELS]
        for (low, high), (lower, higher) in pairwise(ends):
            assert (lower <= low).all()
            assert (high <= higher).all()


def test_without_a_back_test_nothing_is_calibrated():
    nobody = Forecast.of([], [], [])
    intervals = Intervals.fit(nobody, [], [])
    assert intervals.count_rows == 0
    assert intervals.orders_map([0.1, 0.9]) == pytest.approx([0.1, 0.9])
    one = Forecast.of([1.0], [0.4], [10.0])
    assert intervals.orders(one, 0.8)[0] == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=50), st.floats(0.001, 0.999))
def test_recalibration_rises_and_its_inverse_undoes_it(pairs, probability):
    below, up_to = np.sort(np.array(pairs).reshape(-1, 2), axis=1).T
    calibrated = Recalibration.fit(below, up_to)
    assert (np.diff(calibrated.knots) > 0).all()
    assert (calibrated.knots[0], calibrated.knots[-1]) == pytest.approx((0, 1))
    assert float(calibrated(calibrated.inverse(probability))) == pytest.approx(probability, abs=1e-9)


def test_recalibration_of_points_is_their_distribution():
    points = np.random.default_rng(3).beta(2, 5, 50_000)
    calibrated = Recalibration.fit(points, points)
    assert float(calibrated(0.3)) == pytest.approx((points <= 0.3).mean(), abs=0.005)


def test_few_rows_move_the_map_little():
    calibrated = Recalibration.fit(np.full(5, 0.9), np.full(5, 0.9))
    assert np.abs(np.array(calibrated.knots) - np.linspace(0, 1, len(calibrated.knots))).max() < 0.03


def test_intervals_can_be_written_as_json(simulate):
    intervals = Intervals.fit(*_customers("sparse", simulate, seed=9, n=500))
    written = json.loads(json.dumps(intervals.to_dict()))
    assert written["count_rows"] == 500
    assert written["outcomes"]["rest"]["power"] == intervals.outcomes.rest.power
