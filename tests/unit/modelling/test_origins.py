"""The days of a nested back-test."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.modelling.origins import MAXIMUM_LESSONS, MAXIMUM_ORIGINS, plan_backtest

FIRST = dt.date(2024, 1, 1)


@given(history_days=st.integers(0, 3_000), horizon_days=st.integers(1, 800))
def test_nothing_looks_ahead(history_days, horizon_days):
    as_of = FIRST + dt.timedelta(days=history_days)
    plan = plan_backtest(FIRST, as_of, horizon_days)
    horizon = dt.timedelta(days=plan.horizon_days)
    assert plan.horizon_days <= max(horizon_days, history_days // 4)
    assert len(plan.origins) == len(set(plan.origins)) <= MAXIMUM_ORIGINS
    assert all(FIRST + horizon <= day and day + horizon <= as_of for day in plan.cutoffs())
    for evening in (as_of, *plan.origins):
        lessons = plan.lessons(evening)
        assert len(lessons) <= MAXIMUM_LESSONS
        assert all(lesson + horizon <= evening for lesson in lessons)
    assert all(plan.lessons(origin) for origin in plan.origins)


def test_the_same_season_is_among_the_origins_where_the_history_allows():
    as_of = FIRST + dt.timedelta(days=1_000)
    plan = plan_backtest(FIRST, as_of, 90)
    assert plan.horizon_days == 90
    assert [(as_of - origin).days for origin in plan.origins] == [90, 180, 270, 360]


def test_a_short_history_takes_a_shorter_horizon():
    plan = plan_backtest(FIRST, FIRST + dt.timedelta(days=400), 365)
    assert plan.horizon_days == 100
    assert len(plan.origins) == 2


def test_a_shop_of_a_week_has_no_origins():
    plan = plan_backtest(FIRST, FIRST + dt.timedelta(days=7), 90)
    assert (plan.origins, plan.cutoffs()) == ((), ())


def test_impossible_days_are_refused():
    with pytest.raises(ValueError, match="at least one day"):
        plan_backtest(FIRST, FIRST, 0)
    with pytest.raises(ValueError, match="after the first order"):
        plan_backtest(FIRST, FIRST - dt.timedelta(days=1), 90)
