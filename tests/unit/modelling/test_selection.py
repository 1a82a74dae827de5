"""The rule by which a challenger replaces the incumbent, on cases whose answer is known."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.selection import Trial, choose, keeps_level, standing

DAYS = (dt.date(2026, 6, 30), dt.date(2026, 3, 31), dt.date(2025, 12, 31))


def trial(day, actual, incumbent, **more):
    incumbent = None if incumbent is None else np.asarray(incumbent, dtype=float)
    predicted = {name: np.asarray(values, dtype=float) for name, values in more.items() if name != "calendar"}
    calendar = more.get("calendar")
    months = pd.Series(pd.Timestamp("2025-01-01"), index=range(len(actual)))
    return Trial(day, np.asarray(actual, dtype=float), predicted, incumbent, months, calendar)


@pytest.fixture(scope="module")
def evenings():
    """Three evenings of 4,000 customers with known rates: the truth, a half-truth, noise, and the whale's ruin."""
    rng = np.random.default_rng(5)
    found = []
    for day in DAYS:
        rate = rng.gamma(0.5, 2.0, 4_000)
        actual = rng.poisson(rate).astype(float)
        flat = np.full(4_000, actual.mean())
        ruin = np.where(rate > np.quantile(rate, 0.99), 8 * rate, rate)
        half = (rate + flat) / 2
        noise = flat * rng.gamma(100, 1 / 100, 4_000)
        found.append(trial(day, actual, flat, flat=flat, truth=rate, half=half, noise=noise, ruin=ruin))
    return found


def test_the_truth_wins(evenings):
    choice = choose("orders", evenings, "flat", ["half", "truth", "noise", "ruin"])
    assert choice.champion == "truth"
    by_name = {one.name: one for one in choice.standings}
    assert by_name["half"].is_better
    assert by_name["truth"].deviance_change < by_name["half"].deviance_change < 0
    assert choice.to_dict()["nearest"][0]["name"] == "truth"


def test_noise_does_not_replace_the_incumbent(evenings):
    assert choose("orders", evenings, "flat", ["noise"]).champion == "flat"


def test_who_ruins_the_few_does_not_pass_by_pleasing_the_many(evenings):
    found = standing("orders", evenings, "ruin", is_levelled=False)
    assert found.squared_error_change > found.squared_error_error
    assert not found.is_better


def test_change_and_error_by_hand():
    trials = [
        trial(day, [1, 0], [0.5, 0.5], better=[0.5 + shift, 0.5 - shift])
        for day, shift in zip(DAYS, (0.1, 0.3), strict=False)
    ]
    found = standing("orders", trials, "better", is_levelled=True)
    means = [(0.5 - 0.1) ** 2 / 0.25 - 1, (0.5 - 0.3) ** 2 / 0.25 - 1]
    assert found.squared_error_change == pytest.approx(np.mean(means))
    assert found.squared_error_error == pytest.approx(np.std(means, ddof=1) / np.sqrt(2)), "both customers alike"
    assert found.count_origins == 2


def test_the_level_does_not_decide_between_models(evenings):
    doubled = [trial(one.cutoff, one.actual, one.incumbent, truth=2 * one.predicted["truth"]) for one in evenings]
    as_is = standing("orders", evenings, "truth", is_levelled=True)
    assert standing("orders", doubled, "truth", is_levelled=True).deviance_change == pytest.approx(
        as_is.deviance_change
    )
    assert choose("orders", doubled, "flat", ["truth"], as_they_stand=("truth",)).champion != "truth"


def test_ties_go_to_the_earlier_in_the_table(evenings):
    twins = [
        trial(one.cutoff, one.actual, one.incumbent, b=one.predicted["truth"], a=one.predicted["truth"])
        for one in evenings
    ]
    assert choose("orders", twins, "flat", ["b", "a"]).champion == "b"


def test_who_was_absent_on_the_latest_evening_does_not_stand(evenings):
    latest = trial(DAYS[0], evenings[0].actual, evenings[0].incumbent)
    assert standing("orders", [latest, *evenings[1:]], "truth", is_levelled=True).deviance_change is None
    earlier_only = standing("orders", [*evenings[:1], trial(DAYS[1], [1, 0], [0.5, 0.5])], "truth", is_levelled=True)
    assert earlier_only.count_origins == 1


def test_without_evenings_the_incumbent_stays(evenings):
    assert choose("orders", [], "flat", ["truth"]).champion == "flat"
    nothing_followed = [trial(DAYS[0], [0, 0], [0.1, 0.1], truth=[0, 0])]
    assert choose("orders", nothing_followed, "flat", ["truth"]).champion == "flat"
    without = [trial(DAYS[0], [1, 0], None, truth=[1, 0])]
    assert choose("orders", without, "flat", ["truth"]).champion == "flat"


def test_the_level_stays_unless_two_evenings_speak_against_it():
    right = [trial(day, [1, 1], [1.0, 1.0], calendar=np.array([2.0, 2.0])) for day in DAYS]
    wrong = [trial(day, [1, 1], [2.0, 2.1], calendar=np.array([1.0, 1.0])) for day in DAYS]
    assert keeps_level(right)
    assert not keeps_level(wrong)
    assert keeps_level(wrong[:1])
    assert keeps_level([])
