"""Actual and expected repeats by period and cohort, and the log ratios that are told apart.

Belongs here: the bookkeeping between states of customers and the few hundred ratios that `variation.py` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.level.activity import Activity
from dagster_project.modelling.level.clock import Clock, FittedPurchaseModel
from dagster_project.modelling.level.variation import Moments, Variation, told_apart

COUNT_COHORTS, SHORTEST_COHORT_DAYS = 8, 91
"""First purchases by eighths of the history, at least a quarter long, so that there are a few hundred cells."""
MINIMUM_EXPECTED = 0.1
"""Repeats expected in a cell; one with less says nothing and would only cost."""


@dataclass(frozen=True)
class Cells:
    """Periods by cohorts, cell = period * count_cohorts + cohort, oldest first.

    Attributes:
        activity: the evidence.
        count_periods: whole periods in the history.
        count_cohorts: cohorts of equal length in the history.
        cell_of: cell of each state, shape (k,).
        actual: repeats in each cell.
        moments: of each cell.
    """

    activity: Activity
    count_periods: int
    count_cohorts: int
    cell_of: npt.NDArray[np.intp]
    actual: FloatArray
    moments: Moments

    @classmethod
    def of(cls, activity: Activity) -> Self:
        """The cells of a shop's activity.

        Args:
            activity: from `repeat_activity`.
        """
        count_periods = activity.history_days // activity.period_days
        width = max(SHORTEST_COHORT_DAYS, -(-activity.history_days // COUNT_COHORTS))
        count_cohorts = activity.history_days // width + 1

        def cell(days_before: FloatArray, days_since_first: FloatArray) -> npt.NDArray[np.intp]:
            period = count_periods - days_before // activity.period_days
            cohort = (activity.history_days - days_since_first) // width
            return (period * count_cohorts + cohort).astype(np.intp)

        def total(cells: npt.NDArray[np.intp], weights: FloatArray) -> FloatArray:
            summed = np.bincount(cells, weights=weights, minlength=count_periods * count_cohorts)
            return np.asarray(summed, dtype=np.float64)

        cell_of = cell(activity.days_before, activity.days_before + activity.age)
        actual = total(cell(activity.repeat_days_before, activity.repeat_days_since_first), activity.repeat_count)
        mean_age = total(cell_of, activity.count * activity.age) / np.maximum(total(cell_of, activity.count), 1)
        middle = cls._middles(activity.period_days, count_periods)
        cohort_day = (np.arange(count_cohorts) + 0.5) * width - activity.history_days
        moments = Moments(
            np.repeat(middle, count_cohorts),
            mean_age + activity.period_days / 2,
            np.tile(cohort_day, count_periods),
        )
        return cls(activity, count_periods, count_cohorts, cell_of, actual, moments)

    @staticmethod
    def _middles(period_days: int, count_periods: int) -> FloatArray:
        return np.asarray(period_days * (np.arange(count_periods) + 0.5 - count_periods), dtype=np.float64)

    def periods(self) -> Moments:
        """The middles of the periods, oldest first."""
        middles = self._middles(self.activity.period_days, self.count_periods)
        return Moments(middles, np.ones(self.count_periods), np.zeros(self.count_periods))

    def expected(self, model: FittedPurchaseModel, clock: Clock) -> FloatArray:
        """Repeats expected in each cell by a model in operational days, given each history at the period's start.

        Args:
            model: fitted by the clock.
            clock: of the past.
        """
        states = self.activity
        start = clock.before(states.days_before)
        first = clock.before(states.days_before + states.age)
        last = clock.before(states.days_before + states.age - states.t_x)
        end = clock.before(states.days_before - states.period_days)
        to_last = np.where(states.x > 0, first - last, 0.0)
        each = model.expected_purchases(states.x, to_last, np.maximum(first - start, to_last), start - end)
        summed = np.bincount(self.cell_of, weights=states.count * each, minlength=self.actual.size)
        return np.asarray(summed, dtype=np.float64)

    def separated(self, model: FittedPurchaseModel, clock: Clock, before: Variation | None) -> Variation:
        """The parts of the log ratio of actual over expected without season.

        Args:
            model: fitted by the clock.
            clock: of the past; its season is taken out of what the model expects.
            before: of the round before, around which counts are made linear; None in the first round.
        """
        usual = self.expected(model, clock) / np.repeat(clock.past_rates, self.count_cohorts)
        seen = usual > MINIMUM_EXPECTED
        moments = Moments(self.moments.day[seen], self.moments.age[seen], self.moments.cohort[seen])
        around = np.zeros(int(seen.sum()))
        if before is not None:
            around = sum((before.part(name, moments) for name in before.sizes if name != "shock"), around)
        mean = usual[seen] * np.exp(around)
        response = around + (self.actual[seen] - mean) / mean
        return told_apart(moments, response, 1 / mean, start=None if before is None else before.sizes)
