"""The clock by hand, and models that run by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.modelling.btyd import BetaGeo, ModifiedBetaGeo
from dagster_project.modelling.level.clock import Clock, SeasonalModel

T_X, AGE = np.array([0.0, 30.0, 200.0]), np.array([50.0, 38.0, 200.0])


def test_clock_counts_the_days_of_its_steps():
    clock = Clock(10, (2.0, 0.5), 5, (3.0, 1.0))
    assert clock.before([0, 5, 10, 15, 20, 30]) == pytest.approx([0, 2.5, 5, 15, 25, 45])
    assert clock.ahead([0, 5, 7, 10, 20]) == pytest.approx([0, 15, 17, 20, 40])


def test_clock_goes_on_as_its_last_year_did():
    weeks = (9.0, *(1.0, 3.0) * 26)
    assert Clock(ahead_step_days=7, ahead_rates=weeks).ahead(7 * 53 + 70) == pytest.approx(7 * (9 + 52 * 2) + 2 * 70)


def test_clock_without_rates_runs_evenly():
    to_last, observed = Clock().histories(T_X, AGE)
    np.testing.assert_array_equal(to_last, T_X)
    np.testing.assert_array_equal(observed, AGE)
    assert Clock().ahead(91) == 91


@given(
    rates=st.lists(st.floats(0.05, 20), min_size=1, max_size=30),
    observed=st.lists(st.integers(0, 1_000), min_size=1, max_size=20),
    shares=st.lists(st.floats(0, 1), min_size=20, max_size=20),
)
def test_clock_keeps_histories_possible(rates, observed, shares):
    age = np.array(observed, dtype=float)
    to_last = np.floor(age * np.array(shares[: age.size]))
    operational_last, operational_age = Clock(14, tuple(rates)).histories(to_last, age)
    assert (operational_last <= operational_age).all()
    np.testing.assert_array_equal(operational_last == 0, to_last == 0)
    np.testing.assert_array_equal(operational_last[to_last == age], operational_age[to_last == age])


@pytest.mark.parametrize("rates", [(0.0,), (-1.0,), (np.nan,), (np.inf,)])
def test_clock_refuses_to_stand_still(rates):
    with pytest.raises(ValueError, match="above 0"):
        Clock(14, rates)


def test_clock_of_constant_speed_is_only_another_unit_of_time(simulate):
    x, t_x, age, _ = simulate(ModifiedBetaGeo, (0.8, 40.0, 0.7, 2.0), np.arange(1, 400), 0, seed=3)
    plain = ModifiedBetaGeo.fit(x, t_x, age)
    fast = SeasonalModel.fit(ModifiedBetaGeo, Clock(14, (3.0,), 7, (3.0,)), x, t_x, age)
    for ask in ("expected_purchases", "probability_no_purchase"):
        np.testing.assert_allclose(getattr(fast, ask)(x, t_x, age, 91), getattr(plain, ask)(x, t_x, age, 91), rtol=1e-6)
    np.testing.assert_allclose(fast.probability_alive(x, t_x, age), plain.probability_alive(x, t_x, age), rtol=1e-6)


def test_seasonal_model_is_the_model_in_operational_days():
    model, clock = BetaGeo.from_params(0.243, 30.9, 0.793, 2.426), Clock(20, (0.5, 2.0), 10, (4.0,))
    seasonal = SeasonalModel(model, clock)
    # 50 days ago the oldest rate, .5, holds already: 30 days at it, then 20 at 2; 15 days ahead at 4.
    assert seasonal.expected_purchases(0, 0, 50, 15) == model.expected_purchases(0, 0, 55, 60)
    assert seasonal.expected_purchases(1, 40, 50, 15) == model.expected_purchases(1, 35, 55, 60)
    assert seasonal.probability_no_purchase(1, 40, 50, 15) == model.probability_no_purchase(1, 35, 55, 60)
    assert seasonal.to_dict()["clock"]["ahead_rates"] == [4.0]
    assert seasonal.name == "bg_nbd_in_season"
