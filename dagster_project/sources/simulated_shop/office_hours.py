"""The hours in which the simulated shop's staff works: Monday to Saturday, nine to six.

Belongs here: from local seconds to seconds of work and back. Does not belong here: what is done in them
(`voice/support.py`).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from dagster_project.sources.simulated_shop.calendar import DAY, Calendar
from dagster_project.sources.simulated_shop.streams import Ints

OPENS, CLOSES = 9 * 3_600, 18 * 3_600
_SPARE_DAYS = 500  # past the horizon: work on what came before it goes on
_SUNDAY = 6


@cache
def _worked_before(first_weekday: int, count_days: int) -> Ints:
    """Seconds of work before each day."""
    is_open = (np.arange(count_days) + first_weekday) % 7 != _SUNDAY
    return np.concatenate([[0], np.cumsum(is_open * (CLOSES - OPENS))])


def _days(calendar: Calendar) -> Ints:
    return _worked_before(calendar.plan.first_day.weekday(), calendar.plan.horizon_day + _SPARE_DAYS)


def work_seconds(calendar: Calendar, second: Ints) -> Ints:
    """Seconds of work from the first day's midnight to a local second, which lies within 500 days of the horizon."""
    before = _days(calendar)
    day = second // DAY
    today = np.clip(second - day * DAY - OPENS, 0, CLOSES - OPENS)
    return np.minimum(before[day] + today, before[day + 1])


def second_after_work(calendar: Calendar, second: Ints, work: Ints) -> Ints:
    """The local second at which so many seconds of work after another second are done."""
    before = _days(calendar)
    done = work_seconds(calendar, second) + work
    day = np.minimum(np.searchsorted(before, done, side="right") - 1, len(before) - 2)
    return np.maximum(day * DAY + OPENS + done - before[day], second)
