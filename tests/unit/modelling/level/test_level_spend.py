"""Season and level of spend, on periods whose season is known."""

import numpy as np
import pytest

from dagster_project.modelling.level.activity import SpendActivity
from dagster_project.modelling.level.spend import fit_spend_level


def _activity(of, days: int = 728, per_period: int = 200, seed: int = 1) -> SpendActivity:
    before = np.arange(days, 0, -14.0)
    spread, rng = 0.8, np.random.default_rng(seed)
    mean = of(7 - before) + rng.normal(0, spread / np.sqrt(per_period), before.size)
    return SpendActivity(14, days, before, np.full(before.size, per_period), mean, np.full(before.size, spread**2))


def _season(day):
    return 0.2 * np.cos(2 * np.pi * (day - 45) / 365.25)


def test_season_of_spend_is_found():
    misses = []
    for seed in range(8):
        found = fit_spend_level(_activity(_season, seed=seed))
        truth = np.log(np.exp(_season(np.arange(91) + 0.5)).mean())
        misses.append((np.log(found.factor(91)) - truth) / found.log_error(91))
        assert np.log(found.factor(91)) == pytest.approx(truth, abs=0.1)
    assert np.sqrt(np.mean(np.square(misses))) < 1.5


def test_nothing_planted_leaves_spend_alone():
    for seed in range(5):
        found = fit_spend_level(_activity(np.zeros_like, seed=seed))
        assert abs(np.log(found.factor(91))) < max(0.03, 2 * float(found.log_error(91)))


def test_what_the_spend_model_is_wrong_about_all_the_time_is_no_level():
    right, wrong = (fit_spend_level(_activity(lambda day, off=off: _season(day) + off)) for off in (0.0, 0.5))
    assert wrong.factor(91) == pytest.approx(float(right.factor(91)), rel=1e-6)


@pytest.mark.parametrize(
    ("activity", "reason"),
    [(_activity(_season, days=350), "350 days"), (_activity(_season, per_period=1), "52 repeat occasions")],
)
def test_little_evidence_leaves_spend_alone(activity, reason):
    found = fit_spend_level(activity)
    assert found.is_gated
    assert reason in found.reason
    assert found.factor(91) == 1
