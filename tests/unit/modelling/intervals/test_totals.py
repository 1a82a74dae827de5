"""The whole shop: against customers drawn one by one, and the common error by hand."""

import numpy as np
import pytest

from dagster_project.modelling.intervals.outcomes import Forecast, Outcomes
from dagster_project.modelling.intervals.totals import (
    CommonError,
    ShopTotals,
    central_interval,
)

SURE = CommonError(0.0)
COUNT_DRAWS = 1_000


def _forecast(n: int = 1_500, seed: int = 1) -> Forecast:
    rng = np.random.default_rng(seed)
    orders = rng.gamma(0.4, 2.0, n)
    return Forecast.of(orders, np.exp(-orders) * 0.8 + 0.2, orders * rng.gamma(4.0, 10.0, n))


def _totals(*parts: Forecast) -> ShopTotals:
    totals = ShopTotals()
    for part in parts:
        totals.add(part)
    return totals


def _part(forecast: Forecast, rows) -> Forecast:
    return Forecast.of(forecast.orders[rows], forecast.no_order[rows], forecast.net[rows])


def test_draws_have_the_moments_of_customers_drawn_one_by_one():
    forecast, outcomes, rng = _forecast(), Outcomes(), np.random.default_rng(2)
    orders, net = _totals(forecast).draws(outcomes, rng, COUNT_DRAWS, SURE, SURE)
    buyer, n = forecast.orders_of_buyer, forecast.orders.size
    size, spread = outcomes.rest.at(buyer), outcomes.net_spread.at(buyer)
    bought = rng.random((COUNT_DRAWS, n)) >= forecast.no_order
    singly = (bought * (1 + rng.poisson(rng.gamma(size, (buyer - 1) / size, (COUNT_DRAWS, n))))).sum(axis=1)
    spent = forecast.net_of_buyer * np.exp(rng.normal(-(spread**2) / 2, spread, (COUNT_DRAWS, n)))
    for drawn, other, expected in (
        (orders, singly, forecast.orders.sum()),
        (net, (bought * spent).sum(axis=1), forecast.net.sum()),
    ):
        assert drawn.mean() == pytest.approx(expected, abs=4 * other.std() / np.sqrt(COUNT_DRAWS))
        assert drawn.std() == pytest.approx(other.std(), rel=0.1)
        assert central_interval(drawn, 0.8) == pytest.approx(central_interval(other, 0.8), rel=0.02)


def test_batches_in_any_order_give_the_same_draws():
    forecast = _forecast()
    whole = _totals(forecast)
    halves = _totals(_part(forecast, slice(500, None)), _part(forecast, slice(500)))
    one, other = (totals.draws(Outcomes(), np.random.default_rng(3), 50, SURE, SURE)[0] for totals in (whole, halves))
    np.testing.assert_array_equal(one, other)
    assert halves.expected_orders == pytest.approx(forecast.orders.sum())
    assert halves.expected_net == pytest.approx(forecast.net.sum())


def test_counted_customers_are_as_many_rows():
    forecast = _forecast(50)
    counted, rows = ShopTotals(), _totals(*[forecast] * 3)
    counted.add(forecast, np.full(50, 3))
    one, other = (totals.draws(Outcomes(), np.random.default_rng(4), 50, SURE, SURE)[0] for totals in (counted, rows))
    np.testing.assert_array_equal(one, other)


def test_error_of_the_level_widens_the_interval_of_the_shop():
    totals = _totals(_forecast())
    sure, unsure = (
        totals.draws(Outcomes(), np.random.default_rng(5), COUNT_DRAWS, CommonError(error, 1e6), SURE)[0]
        for error in (0.0, 0.2)
    )
    assert np.std(np.log(unsure)) == pytest.approx(np.hypot(0.2, np.std(np.log(sure))), rel=0.08)
    assert np.median(unsure) == pytest.approx(np.median(sure), rel=0.03)


def test_shop_without_customers_sells_nothing():
    orders, net = ShopTotals().draws(Outcomes(), np.random.default_rng(6), 10, CommonError(0.1), CommonError(0.1))
    assert orders.sum() == net.sum() == 0


def test_shop_of_customers_who_stay_away_sells_nothing():
    totals = _totals(Forecast.of(np.zeros(5), np.ones(5), np.zeros(5)))
    assert totals.draws(Outcomes(), np.random.default_rng(7), 10, SURE, SURE)[0].sum() == 0


def test_common_error_grows_where_past_claims_were_too_small():
    assert CommonError.of(0.1) == CommonError(pytest.approx(0.1), 4)
    # Four claims of .1 that were off by .3: (4 + 4 * 9) / 8 = 5, so the claim grows by its root.
    grown = CommonError.of(0.1, [0.3, -0.3, 0.3, -0.3], [0.1] * 4)
    assert grown.log_error == pytest.approx(0.1 * np.sqrt(5))
    assert grown.degrees == 8
    assert CommonError.of(0.1, [0.0] * 4, [0.1] * 4).log_error == pytest.approx(0.1 * np.sqrt(0.5))


@pytest.mark.parametrize(
    ("claimed", "ratios", "claims"), [(-0.1, [], []), (0.1, [0.1], []), (0.1, [0.1], [0.0]), (0.1, [np.nan], [0.1])]
)
def test_common_error_refuses_impossible_claims(claimed, ratios, claims):
    with pytest.raises(ValueError, match="one positive claim"):
        CommonError.of(claimed, ratios, claims)
