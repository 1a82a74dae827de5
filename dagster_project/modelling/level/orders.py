"""Season and level of a shop's orders: the clock to fit and predict by, and how sure it is.

Belongs here: the comparison of what existing customers bought with what a purchase model expected of them, period by
period, and the gate. Not here: the separation of the parts (`variation.py`), the evidence (`activity.py`).

Expected is each customer's conditional expectation at the start of the period, given their history up to then: the
compensator of the counting process (Aalen 1978), so actual minus expected has mean 0 whatever the mix of customers. The
log ratio is separated into parts, the season sets the clock, the model is fitted again by that clock, and so on until
nothing changes. Counts enter through the working response of penalised quasi-likelihood (Breslow and Clayton 1993):
a fortnight without a sale counts as a ratio of -1, not of minus infinity.

Season is in the clock of the past and of the future. The level is in the future only: a purchase model has a decline of
its own, drop-out, and a past without its drift leaves the two to be mistaken for each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.level.activity import Activity
from dagster_project.modelling.level.cells import Cells
from dagster_project.modelling.level.clock import Clock, PurchaseModelClass, SeasonalModel
from dagster_project.modelling.level.variation import (
    FORESEEN,
    Moments,
    Variation,
    mean_factor,
    prior_uncertainty,
)
from dagster_project.modelling.maximum_likelihood import DidNotConverge

MINIMUM_HISTORY_DAYS = 365
"""Of a younger shop no season has been seen to come back, and its first months would pass for one."""
MINIMUM_REPEATS = 100
"""Below it the ratio's own noise, 10 %, is as large as the usual level: nothing could be learnt."""
AHEAD_STEP_DAYS = 7
AHEAD_STEPS = 105
"""Two years of weeks; a longer horizon goes on as its last year did."""
MAXIMUM_ROUNDS = 12
TOLERANCE = 1e-3
"""Rounds end when no period's log season moves by more: a tenth of a per cent of sales."""


@dataclass(frozen=True)
class OrdersLevel:
    """The clock of a shop, and how sure it is.

    Attributes:
        clock: to fit and predict by; runs evenly where gated.
        is_gated: whether the shop showed too little to be corrected.
        reason: why it was gated; None where it was not.
        log_errors: standard error of the log of the mean rate over the first 1, 2, ... weeks after as-of, shape (105,).
        season: log factor of the season in each of those weeks, shape (105,).
        level: log factor of the level in each of those weeks, shape (105,).
        sizes: size of each part of the variation, empty where gated.
        model: the model by that clock; None where gated.
    """

    clock: Clock
    is_gated: bool
    reason: str | None
    log_errors: FloatArray
    season: FloatArray
    level: FloatArray
    sizes: dict[str, float]
    model: SeasonalModel | None

    def factor(self, horizon_days: npt.ArrayLike) -> FloatArray:
        """Mean speed of the clock from as-of to each horizon: 1.2 is a fifth busier than the shop's usual.

        Args:
            horizon_days: days after as-of, any shape, above 0.
        """
        horizon = np.asarray(horizon_days, dtype=np.float64)
        return np.asarray(self.clock.ahead(horizon) / horizon, dtype=np.float64)

    def log_error(self, horizon_days: npt.ArrayLike) -> FloatArray:
        """Standard error of the log of the shop's expected orders up to each horizon, from season and level alone.

        Args:
            horizon_days: days after as-of, any shape, above 0.
        """
        ends = AHEAD_STEP_DAYS * np.arange(1.0, AHEAD_STEPS + 1)
        return np.asarray(np.interp(np.asarray(horizon_days, dtype=np.float64), ends, self.log_errors))

    def to_dict(self) -> dict[str, Any]:
        """What was found, JSON-able: enough to predict with, together with the model's parameters."""
        return {
            "is_gated": self.is_gated,
            "reason": self.reason,
            "sizes": dict(self.sizes),
            "clock": self.clock.to_dict(),
            "season": self.season.tolist(),
            "level": self.level.tolist(),
            "log_errors": self.log_errors.tolist(),
        }


def fit_orders_level(
    activity: Activity,
    model_class: PurchaseModelClass,
    count_repeats: npt.ArrayLike,
    time_to_last: npt.ArrayLike,
    time_observed: npt.ArrayLike,
    **weights: npt.ArrayLike,
) -> OrdersLevel:
    """Season and level of a shop's orders as of the end of its history.

    Args:
        activity: from `repeat_activity` at the same as-of.
        model_class: such as `ModifiedBetaGeo`.
        count_repeats: x of all customers, shape (n,).
        time_to_last: t_x in days, shape (n,).
        time_observed: T in days up to as-of, shape (n,).
        weights: handed on to the model's `fit`, as its count of customers per history.

    Returns:
        A level; gated, with a clock that runs evenly, where the shop is younger than a year, has fewer than 100
        repeats, or the model does not converge.

    Raises:
        ValueError: a history is impossible.
    """
    histories = (count_repeats, time_to_last, time_observed)
    total_repeats = float(activity.repeat_count.sum())
    if activity.history_days < MINIMUM_HISTORY_DAYS:
        return _gated(f"the shop has {activity.history_days} days of history; a season needs {MINIMUM_HISTORY_DAYS}")
    if total_repeats < MINIMUM_REPEATS:
        return _gated(f"existing customers came back {total_repeats:.0f} times; a level needs {MINIMUM_REPEATS}")
    try:
        model, variation = _fitted_together(Cells.of(activity), model_class, histories, weights)
    except DidNotConverge as error:
        return _gated(f"the purchase model did not converge by the shop's own clock: {error}")
    ahead = _ahead()
    season, level = (variation.part(name, ahead) for name in FORESEEN)
    errors = mean_factor(season + level, variation.uncertainty(FORESEEN, ahead))[1]
    rates = tuple(np.exp(season + level).tolist())
    clock = replace(model.clock, ahead_step_days=AHEAD_STEP_DAYS, ahead_rates=rates)
    sizes = dict(variation.sizes)
    return OrdersLevel(clock, False, None, errors, season, level, sizes, SeasonalModel(model.model, clock))


def _fitted_together(
    cells: Cells,
    model_class: PurchaseModelClass,
    histories: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    weights: dict[str, npt.ArrayLike],
) -> tuple[SeasonalModel, Variation]:
    """The model by the clock of the past, and the variation that made the clock, each found given the other."""
    past = cells.periods()
    season = np.zeros(cells.count_periods)
    model, variation = _round(cells, model_class, histories, weights, season, None)
    for _ in range(MAXIMUM_ROUNDS - 1):
        before, season = season, variation.part("season", past)
        if np.abs(season - before).max() <= TOLERANCE:
            break
        model, variation = _round(cells, model_class, histories, weights, season, variation)
    return model, variation


def _round(
    cells: Cells,
    model_class: PurchaseModelClass,
    histories: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    weights: dict[str, npt.ArrayLike],
    season: FloatArray,
    before: Variation | None,
) -> tuple[SeasonalModel, Variation]:
    """The model by the clock of a season of the past, and what its expectations leave to tell apart."""
    clock = Clock(cells.activity.period_days, tuple(np.exp(season).tolist()))
    model = SeasonalModel.fit(model_class, clock, *histories, **weights)
    return model, cells.separated(model.model, clock, before)


def _ahead() -> Moments:
    """The middles of the weeks after as-of."""
    days = np.asarray(AHEAD_STEP_DAYS * (np.arange(AHEAD_STEPS) + 0.5), dtype=np.float64)
    return Moments(days, np.ones(AHEAD_STEPS), np.zeros(AHEAD_STEPS))


def _gated(reason: str) -> OrdersLevel:
    """No correction, with the uncertainty of a shop of which nothing is known."""
    nothing = np.zeros(AHEAD_STEPS)
    errors = mean_factor(nothing, prior_uncertainty(FORESEEN, _ahead()))[1]
    return OrdersLevel(Clock(), True, reason, errors, nothing, nothing, {}, None)
