"""Which past days the candidates are tried on, and which still earlier days the learned ones may learn from.

Belongs here: dates only. What happens on them: `backtest.py`.

All cut-offs lie on one grid that ends at as-of, half a horizon apart, so one pass over the orders serves every origin.
An origin is a past evening from which the next `horizon_days` are predicted, and known by as-of. What is learned for an
origin is learned from lessons: cut-offs whose own horizon had ended by then. Nothing looks ahead.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

MAXIMUM_ORIGINS = 4
"""The last three and the one a year before the days to be predicted: each costs a fit of every candidate."""
MAXIMUM_LESSONS = 6
"""Cut-offs to learn from, spread evenly over the history: six cover a year's seasons twice a quarter."""
SHARES_OF_HISTORY = 4
"""The history holds a lesson's past, its horizon, an origin's horizon, and a fourth part to tell two origins apart."""
DAYS_PER_YEAR = 365


@dataclass(frozen=True)
class Plan:
    """The days of a nested back-test.

    Attributes:
        as_of: the night.
        horizon_days: days predicted at each origin and lesson; an even number, at most the horizon asked for.
        origins: days to predict from, latest first; empty where the history is too short.
        grid: every day that may be a lesson, latest first.
    """

    as_of: dt.date
    horizon_days: int
    origins: tuple[dt.date, ...]
    grid: tuple[dt.date, ...]

    def lessons(self, cutoff: dt.date) -> tuple[dt.date, ...]:
        """The days that may be learned from on the evening of `cutoff`, latest first, spread over the grid.

        Args:
            cutoff: as-of or an origin.
        """
        known = [day for day in self.grid if day + dt.timedelta(days=self.horizon_days) <= cutoff]
        if len(known) <= MAXIMUM_LESSONS:
            return tuple(known)
        steps = (len(known) - 1) / (MAXIMUM_LESSONS - 1)
        return tuple(known[round(place * steps)] for place in range(MAXIMUM_LESSONS))

    def cutoffs(self) -> tuple[dt.date, ...]:
        """Every past day whose features are needed, latest first."""
        needed = set(self.origins)
        for cutoff in (self.as_of, *self.origins):
            needed |= set(self.lessons(cutoff))
        return tuple(sorted(needed, reverse=True))


def plan_backtest(first_order: dt.date, as_of: dt.date, horizon_days: int) -> Plan:
    """The origins and lessons that a history allows for predictions over a horizon.

    Args:
        first_order: day of the shop's first order.
        as_of: the night.
        horizon_days: days that the night predicts, at least 1; the back-test takes a quarter of the history where that
            is shorter.

    Returns:
        A plan whose every day lies at least one back-test horizon after the first order. Origins have a lesson; they
        are the last three whose horizons do not overlap, and the one that starts a year before the days to be
        predicted (the same season), where the history has them. A history of less than 8 days has none.

    Raises:
        ValueError: the horizon has no day, or as-of lies before the first order.
    """
    history_days = (as_of - first_order).days
    if horizon_days < 1 or history_days < 0:
        raise ValueError(
            f"a horizon of {horizon_days} days from {as_of} on a shop that began on {first_order}; "
            "expected at least one day, after the first order"
        )
    step = min(horizon_days, history_days // SHARES_OF_HISTORY) // 2
    if step == 0:
        return Plan(as_of, 0, (), ())
    horizon = 2 * step
    steps_back = range(2, (history_days - horizon) // step + 1)
    day_of = {steps: as_of - dt.timedelta(days=steps * step) for steps in steps_back}
    has_lesson = {steps for steps in day_of if steps + 2 in day_of}
    chosen = [steps for steps in (2, 4, 6) if steps in has_lesson]
    a_year = round(DAYS_PER_YEAR / step)
    if a_year in has_lesson and a_year not in chosen:
        chosen = [*chosen[: MAXIMUM_ORIGINS - 1], a_year]
    return Plan(as_of, horizon, tuple(day_of[steps] for steps in chosen), tuple(day_of.values()))
