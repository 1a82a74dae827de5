"""The shop's time: which days and hours are busy, and the shop time that runs by them.

Belongs here: season, weekdays, holidays, promotions, trend and hours as one rising curve, and local times. Does not
belong here: what happens in that time (`purchases.py`).

In shop time everybody buys at a constant rate. With w(t) as the busyness at local time t, shop time is the integral of
w, in days; on a plain calendar w is 1. Local days have 24 hours, as their clocks show: nothing happens in the hour that
the spring change leaves out, and twice as much in the one that the autumn change repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, kept

DAY = 86_400
_HOUR = 3_600
_CHANGED_HOUR = 2
_HOLIDAYS = ((1, 1), (12, 25), (12, 26))
Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Calendar:
    """The days of a plan, past its end too."""

    plan: ShopPlan

    @cached_property
    def days(self) -> Days:
        """Each day's date, shape (horizon_day,)."""
        return np.datetime64(self.plan.first_day, "D") + np.arange(self.plan.horizon_day)

    @cached_property
    def is_promotion(self) -> Bools:
        """Whether a promotion runs, shape (horizon_day,)."""
        found = np.zeros(len(self.days), dtype=np.bool_)
        for year in range(self.plan.first_day.year - 1, int(str(self.days[-1])[:4]) + 1):
            for month, day, length in self.plan.promotions.windows:
                start = int((np.datetime64(f"{year}-{month:02d}-{day:02d}") - self.days[0]).astype(int))
                found[max(start, 0) : max(start + length, 0)] = True
        return found

    @cached_property
    def busyness(self) -> Floats:
        """Shop days per day, shape (horizon_day,)."""
        rhythm = self.plan.rhythm
        month, day = _month_and_day(self.days)
        months = np.array(rhythm.months) / np.mean(rhythm.months)
        weekdays = np.array(rhythm.weekdays) / np.mean(rhythm.weekdays)
        weekday = (self.days.astype("datetime64[D]").astype(np.int64) + 3) % 7
        weight = months[month - 1] * weekdays[weekday]
        weight *= (1 + rhythm.trend_per_year) ** (np.arange(len(self.days)) / 365.25)
        for holiday in _HOLIDAYS:
            weight[(month == holiday[0]) & (day == holiday[1])] *= rhythm.holiday
        weight[self.is_promotion] *= self.plan.promotions.lift
        return kept(weight)

    @cached_property
    def _shop_time_at_hours(self) -> Floats:
        hours = np.tile(np.array(self.plan.rhythm.hours) / np.sum(self.plan.rhythm.hours), (len(self.days), 1))
        if len(set(self.plan.rhythm.hours)) > 1:
            month, day = _month_and_day(self.days)
            is_last_sunday = ((self.days.astype(np.int64) + 3) % 7 == 6) & (day > 24)
            hours[is_last_sunday & (month == 3), _CHANGED_HOUR] = 0.0
            hours[is_last_sunday & (month == 10), _CHANGED_HOUR] *= 2
        weight = kept(hours * self.busyness[:, None])
        return np.concatenate([[0.0], np.cumsum(weight.ravel())])

    def shop_time(self, second: npt.ArrayLike) -> Floats:
        """Shop time at local seconds from the first day's midnight, in shop days; any shape."""
        hours = np.arange(len(self._shop_time_at_hours))
        return kept(np.interp(np.asarray(second, dtype=np.float64) / _HOUR, hours, self._shop_time_at_hours))

    def second_at(self, shop_time: Floats) -> Ints:
        """The local second at shop times, any shape; past the horizon, the horizon's midnight."""
        hours = np.arange(len(self._shop_time_at_hours))
        return np.asarray(np.interp(shop_time, self._shop_time_at_hours, hours) * _HOUR, dtype=np.int64)

    def moments(self, second: Ints) -> Days:
        """Local times at seconds from the first day's midnight."""
        return np.asarray(self.days[0].astype("datetime64[s]") + second.astype("timedelta64[s]"))


def _month_and_day(days: Days) -> tuple[Ints, Ints]:
    month = days.astype("datetime64[M]")
    return month.astype(np.int64) % 12 + 1, (days - month).astype(np.int64) + 1
