"""Back-test: what every candidate would have said on past evenings, beside what followed.

Belongs here: reading the evenings in one pass, fitting them without a look ahead, and the trials that the choice and
the scores rest on. Not here: which evenings (`origins.py`), who is believed (`selection.py`), the table of scores
(`scores.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.candidates import BASELINES, NET, ORDERS, Forecast
from dagster_project.modelling.challengers import LEARNERS, Lesson, Target
from dagster_project.modelling.features import customer_features, customer_outcomes
from dagster_project.modelling.fits import (
    PRIOR_SPEND,
    Fits,
    aligned_outcomes,
    fit_models,
    lesson_of,
    levelled,
    spend_levelled,
    taught,
)
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.level.activity import Activity, SpendActivity, repeat_activity, spend_activity
from dagster_project.modelling.level.foreseen import Foreseen
from dagster_project.modelling.origins import Plan
from dagster_project.modelling.purchase_model import ModelName
from dagster_project.modelling.scope import EVERYTHING, Scope
from dagster_project.modelling.selection import Prediction, Trial

TABLES: Mapping[Prediction, Iterable[str]] = {
    "orders": (*ORDERS, *BASELINES),
    "net": (*NET, *BASELINES),
}
"""Who is tried for each prediction, in the order of preference at a tie."""

LEARNED_FOR: Mapping[Prediction, tuple[Target, ...]] = {
    "orders": ("orders",),
    "net": ("orders", "net"),
}


@dataclass(frozen=True)
class Evening:
    """One past cut-off: what was known and what followed, in one order of customers.

    Attributes:
        features: rows of `customer_features`.
        outcomes: from `aligned_outcomes`.
        activity: of the shop up to the cut-off; None on evenings that are lessons only.
    """

    features: pd.DataFrame
    outcomes: pd.DataFrame
    activity: Activity | None


@dataclass
class Past:
    """The past evenings of a plan, and what has been fitted on them: each once, however many origins need it.

    Attributes:
        plan: the days.
        evenings: cut-off to what was known and what followed.
        preferred: the purchase model that comes first.
        predictions: what is to be predicted; only their learners learn.
        spend_activity: of an evening, a mean net and the occasions that it is worth, as of `spend_levelled`.
        threads: of LightGBM.
    """

    plan: Plan
    evenings: Mapping[dt.date, Evening]
    preferred: ModelName
    predictions: Sequence[Prediction]
    spend_activity: Callable[[dt.date, float, float], SpendActivity]
    threads: int = 1
    _models: dict[dt.date, Fits] = field(default_factory=dict)
    _lessons: dict[dt.date, Lesson | None] = field(default_factory=dict)

    def taught(self, fits: Fits, features: pd.DataFrame, evening: dt.date) -> Fits:
        """Fits of an evening with what could be learned by then.

        Args:
            fits: of the evening.
            features: of the evening.
            evening: as-of, or one of the plan's origins.
        """
        lessons = [self._lesson(day) for day in self.plan.lessons(evening)]
        targets = {target for prediction in self.predictions for target in LEARNED_FOR[prediction]}
        learners = [name for name, learner in LEARNERS.items() if learner.target in targets]
        return taught(fits, features, [lesson for lesson in lessons if lesson is not None], learners, self.threads)

    def trials(self) -> dict[Prediction, list[Trial]]:
        """Every prediction of every origin, latest first."""
        found: dict[Prediction, list[Trial]] = {prediction: [] for prediction in self.predictions}
        for origin in self.plan.origins:
            evening = self.evenings[origin]
            fits = self.taught(self._fits(origin), evening.features, origin)
            forecast = Forecast(fits, evening.features, (self.plan.horizon_days,))
            for prediction, trials in found.items():
                trials.append(_trial(prediction, origin, evening, forecast, self.plan.horizon_days))
        return found

    def _fits(self, cutoff: dt.date) -> Fits:
        if cutoff not in self._models:
            is_lesson_only = cutoff not in self.plan.origins
            evening = self.evenings[cutoff]
            fits = fit_models(evening.features, self.plan.horizon_days, self.preferred, stops_at_first=is_lesson_only)
            if evening.activity is not None:
                fits = levelled(fits, evening.activity, evening.features)
                fits = spend_levelled(fits, partial(self.spend_activity, cutoff))
            self._models[cutoff] = fits
        return self._models[cutoff]

    def _lesson(self, cutoff: dt.date) -> Lesson | None:
        if cutoff not in self._lessons:
            evening = self.evenings[cutoff]
            self._lessons[cutoff] = lesson_of(self._fits(cutoff), evening.features, evening.outcomes)
        return self._lessons[cutoff]


def read_past(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    preferred: ModelName,
    predictions: Sequence[Prediction],
    scope: Scope = EVERYTHING,
    *,
    threads: int = 1,
) -> Past:
    """The past of a plan, in one pass over the orders each for what was known and what followed.

    Args:
        connection: a connection that sees the marts, as in `customer_features`.
        plan: the days.
        preferred: the purchase model that comes first.
        predictions: what is to be predicted.
        scope: as in `customer_features`; its share bounds the memory.
        threads: of LightGBM.
    """
    cutoffs = plan.cutoffs()
    is_counted = scope.counts_zero_value_orders
    spent = partial(spend_activity, connection, counts_zero_value_orders=is_counted)
    if not cutoffs:
        return Past(plan, {}, preferred, predictions, spent, threads)
    features = customer_features(connection, cutoffs, scope).df()
    outcomes = customer_outcomes(connection, cutoffs, plan.horizon_days, scope)
    followed = aligned_outcomes(features, outcomes)
    evenings = {}
    for cutoff in cutoffs:
        is_then = (features["cutoff_date"] == pd.Timestamp(cutoff)).to_numpy()
        activity = None
        if cutoff in plan.origins and "orders" in predictions:
            activity = repeat_activity(connection, cutoff, counts_zero_value_orders=is_counted)
        evenings[cutoff] = Evening(
            features[is_then].reset_index(drop=True), followed[is_then].reset_index(drop=True), activity
        )
    return Past(plan, evenings, preferred, predictions, spent, threads)


def incumbent(prediction: Prediction, fits: Fits) -> str | None:
    """Who stays unless somebody is better: the first certified purchase model, with its spend model for net.

    Args:
        prediction: what is predicted.
        fits: of the evening.
    """
    if fits.base is None or prediction != "net":
        return fits.base
    spend = next((name for name in PRIOR_SPEND if name in fits.spend), None)
    return None if spend is None else f"{fits.base}*{spend}"


def predicted(prediction: Prediction, forecast: Forecast) -> dict[str, FloatArray]:
    """What everyone who could be fitted says up to the first step, each of shape (n,).

    Args:
        prediction: what is predicted.
        forecast: of the evening.
    """
    ask = forecast.net if prediction == "net" else forecast.orders
    said = {name: ask(name) for name in TABLES[prediction]}
    return {name: steps[:, 0] for name, steps in said.items() if steps is not None and np.isfinite(steps[:, 0]).all()}


def level_errors(fits: Fits, horizon_days: int) -> tuple[float, float]:
    """Standard errors of the logs of the shop's orders and of its net per order, from season and level.

    Args:
        fits: of the evening.
        horizon_days: days ahead.
    """
    level = None if fits.level is None else fits.level.foreseen
    is_believed = level is not None and (level.is_gated or fits.in_season)
    foreseen = (level if is_believed else None, fits.spend_level)
    unknown = Foreseen.gated("nothing is known")
    orders, spend = (float((one or unknown).log_error(horizon_days)) for one in foreseen)
    return orders, spend


def _trial(prediction: Prediction, origin: dt.date, evening: Evening, forecast: Forecast, horizon_days: int) -> Trial:
    """One prediction on one evening."""
    said = predicted(prediction, forecast)
    calendar = no_order = None
    if prediction == "orders":
        no_order = forecast.no_order(None)
        if forecast.fits.in_season:
            calendar = Forecast(forecast.fits.out_of_season(), evening.features, forecast.steps).model_orders(None)
    return Trial(
        cutoff=origin,
        actual=evening.outcomes[prediction].to_numpy(dtype=np.float64),
        predicted=said,
        incumbent=said.get(incumbent(prediction, forecast.fits) or ""),
        cohort_month=evening.features["cohort_month"],
        out_of_season=None if calendar is None else calendar[:, 0],
        no_order=None if no_order is None else no_order[:, 0],
        log_errors=level_errors(forecast.fits, horizon_days),
    )
