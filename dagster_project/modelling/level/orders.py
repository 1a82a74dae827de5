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
from dagster_project.modelling.level.foreseen import MINIMUM_HISTORY_DAYS, MINIMUM_REPEATS, STEP_DAYS, Foreseen
from dagster_project.modelling.level.variation import Variation
from dagster_project.modelling.maximum_likelihood import DidNotConverge

MAXIMUM_ROUNDS = 12
TOLERANCE = 1e-3
"""Rounds end when no period's log season moves by more: a tenth of a per cent of sales."""


@dataclass(frozen=True)
class OrdersLevel:
    """The clock of a shop, and how sure it is.

    Attributes:
        clock: to fit and predict by; runs evenly where gated.
        foreseen: factors of the weeks to come, their uncertainty, and why they are 1 where gated.
        model: the model by that clock; None where gated.
    """

    clock: Clock
    foreseen: Foreseen
    model: SeasonalModel | None

    def to_dict(self) -> dict[str, Any]:
        """What was found, JSON-able: with the parameters of a model, all that its predictions need."""
        return {**self.foreseen.to_dict(), "clock": self.clock.to_dict()}


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
    total = float(activity.repeat_count.sum())
    if activity.history_days < MINIMUM_HISTORY_DAYS:
        days = f"the shop has {activity.history_days} days of history"
        return _gated(activity, f"{days}; a season needs {MINIMUM_HISTORY_DAYS}")
    if total < MINIMUM_REPEATS:
        return _gated(activity, f"existing customers came back {total:.0f} times; a level needs {MINIMUM_REPEATS}")
    try:
        model, variation = _fitted_together(Cells.of(activity), model_class, histories, weights)
    except DidNotConverge as error:
        return _gated(activity, f"the purchase model did not converge by the shop's own clock: {error}")
    foreseen = Foreseen.of(variation)
    clock = replace(model.clock, ahead_step_days=STEP_DAYS, ahead_rates=foreseen.rates)
    return OrdersLevel(clock, foreseen, SeasonalModel(model.model, clock))


def _gated(activity: Activity, reason: str) -> OrdersLevel:
    return OrdersLevel(Clock(), Foreseen.gated(reason, activity.history_days), None)


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
