"""Candidates on drawn evenings: which of them a calibration may learn from, and what half of the trees is."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from dagster_project.modelling.leaving.calibration import Calibration
from dagster_project.modelling.leaving.candidates import CANDIDATES, Candidate, Record
from dagster_project.modelling.leaving.evenings import Evening
from dagster_project.modelling.origins import Plan

AS_OF, HORIZON = dt.date(2025, 12, 31), 90
ORIGINS = tuple(AS_OF - dt.timedelta(days=HORIZON * back) for back in (1, 2, 3))


def evening(cutoff: dt.date, shift: float, *, is_by_own_clock: bool, seed: int = 1) -> Evening:
    """2,000 customers who left with log odds that were higher than said by a shift."""
    rng = np.random.default_rng(seed)
    said = rng.normal(0, 1, 2_000)
    left = (rng.random(2_000) < expit(said + shift)).astype(float)
    return Evening(cutoff, pd.DataFrame(index=range(2_000)), said, None, left, is_by_own_clock)


def record_of(*evenings: Evening) -> Record:
    return Record(Plan(AS_OF, HORIZON, ORIGINS, ORIGINS), {one.cutoff: one for one in evenings}, ())


def test_a_calibration_learns_from_evenings_of_the_same_clock_that_had_ended():
    record = record_of(
        evening(ORIGINS[0], 0.5, is_by_own_clock=True),
        evening(ORIGINS[1], -2.0, is_by_own_clock=False),
        evening(ORIGINS[2], 0.5, is_by_own_clock=True),
    )
    night = evening(AS_OF, 0.0, is_by_own_clock=True)
    found = record.calibration(night, Candidate(is_calibrated=True))
    both = [record.evenings[day] for day in (ORIGINS[0], ORIGINS[2])]
    expected = Calibration.fit(*(np.concatenate([getattr(one, of) for one in both]) for of in ("log_odds", "has_left")))
    assert found == expected
    assert found.level == pytest.approx(0.5, abs=0.1)
    by_calendar = record.calibration(replace(night, is_by_own_clock=False), Candidate(is_calibrated=True))
    assert by_calendar.level == pytest.approx(-2.0, abs=0.2)
    assert record.calibration(record.evenings[ORIGINS[1]], Candidate()) is None, "none of its kind had ended"


def test_half_of_the_trees_is_half_of_what_they_add(monkeypatch):
    one = evening(ORIGINS[0], 0.0, is_by_own_clock=True)
    record = record_of(one)

    class Grown:
        def log_odds(self, features, rhythm):
            return np.full(len(features), 0.8)

    monkeypatch.setattr(record, "trees", lambda day, groups: Grown())
    said = record.probabilities(one)
    assert said["boosted_orders"] == pytest.approx(expit(one.log_odds + 0.8))
    assert said["half_boosted_orders"] == pytest.approx(expit(one.log_odds + 0.4))
    assert set(said) == {"boosted_orders", "half_boosted_orders"}, "no feeds to read, nothing ended to calibrate on"
    assert set(CANDIDATES) >= {f"{name}_calibrated" for name in said}
