"""The champions' record: who speaks on which evening, and what P(none) is put beside corrected orders."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.champion_errors import champion_errors
from dagster_project.modelling.intervals.calibration import Intervals
from dagster_project.modelling.intervals.outcomes import Forecast
from dagster_project.modelling.selection import Trial

DAYS = (dt.date(2026, 3, 1), dt.date(2025, 9, 1))
ORDERS, NONE = np.tile([0.2, 1.0, 3.0], 60), np.tile([0.85, 0.5, 0.1], 60)
FOLLOWED = np.tile([0.0, 1.0, 4.0], 60)


def trial(day, predicted, incumbent, actual, no_order=None):
    months = pd.Series([day] * actual.size)
    return Trial(day, actual, predicted, incumbent, months, no_order=no_order, log_errors=(0.1, 0.1))


def trials(**of_first):
    """Two evenings of orders and net; on the earlier one the learner had nothing to learn from."""
    orders = [
        trial(DAYS[0], {"base": ORDERS, **of_first}, ORDERS, FOLLOWED, NONE),
        trial(DAYS[1], {"base": ORDERS}, ORDERS, FOLLOWED, NONE),
    ]
    net = [trial(one.cutoff, {"base*spend": 20 * ORDERS}, 20 * ORDERS, 20 * one.actual) for one in orders]
    return {"orders": orders, "net": net}


def test_the_incumbent_speaks_where_the_champion_could_not_yet():
    found = champion_errors(trials(learner=ORDERS * 1.5), {"orders": "learner", "net": "base*spend"}, (0.1, 0.1))
    assert found.intervals.count_rows == 2 * ORDERS.size
    assert {day for _, day, _ in found.coverages} == set(DAYS)
    # log of followed over expected: of the learner on the first evening, of the incumbent on the second
    total = FOLLOWED.sum() / ORDERS.sum()
    claims = np.full(2, np.hypot(0.1, FOLLOWED.sum() ** -0.5))
    growth = np.sqrt((4 + (np.log([total / 1.5, total]) ** 2 / claims**2).sum()) / 6)
    assert found.orders_error.log_error == pytest.approx(0.1 * growth)
    assert found.orders_error.degrees == 6


def test_intervals_read_the_chance_of_none_that_goes_with_the_champion():
    found = champion_errors(trials(learner=ORDERS * 1.5), {"orders": "learner", "net": "base*spend"}, (0.1, 0.1))
    forecast = Forecast.of(
        np.concatenate((ORDERS * 1.5, ORDERS)), np.concatenate((NONE**1.5, NONE)), np.tile(20 * ORDERS, 2)
    )
    expected = Intervals.fit(forecast, np.tile(FOLLOWED, 2), np.tile(20 * FOLLOWED, 2))
    assert found.intervals.orders_map.knots == pytest.approx(expected.orders_map.knots)
    assert found.intervals.outcomes.rest.power == pytest.approx(expected.outcomes.rest.power)


def test_without_evenings_nothing_is_calibrated_and_the_claim_stands():
    found = champion_errors({}, {"orders": "base", "net": "base*spend"}, (0.1, 0.2))
    assert found.intervals == Intervals()
    assert (found.orders_error.log_error, found.spend_error.log_error) == pytest.approx((0.1, 0.2))
