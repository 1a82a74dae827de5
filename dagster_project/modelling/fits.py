"""Everything that is fitted on one evening, and the lessons that later evenings learn from it.

Belongs here: fitting each model of the registries once, with the reason where one is refused. Not here: how fits are
combined into candidates (`candidates.py`), the models themselves (`btyd/`, `spend.py`, `challengers.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from dagster_project.modelling.btyd import PURCHASE_MODELS, PurchaseModel
from dagster_project.modelling.btyd.condensed import CondensedBetaGeometric
from dagster_project.modelling.challengers import (
    MINIMUM_BUYERS,
    Correction,
    Lesson,
    Prior,
    design_matrix,
    learn,
)
from dagster_project.modelling.cohorts import CohortMeans
from dagster_project.modelling.histories import FloatArray, Histories, distinct_histories
from dagster_project.modelling.level.activity import Activity, SpendActivity
from dagster_project.modelling.level.clock import FittedPurchaseModel, SeasonalModel
from dagster_project.modelling.level.foreseen import Foreseen
from dagster_project.modelling.level.orders import OrdersLevel, fit_orders_level
from dagster_project.modelling.level.spend import fit_spend_level
from dagster_project.modelling.maximum_likelihood import DidNotConverge
from dagster_project.modelling.purchase_model import ModelName
from dagster_project.modelling.spend import GammaGamma

HISTORY_COLUMNS = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
SPEND_COLUMNS: Mapping[str, tuple[str, str]] = {
    "gamma_gamma": ("count_repeat_occasions_with_spend", "mean_repeat_occasion_net"),
    "gamma_gamma_all": ("count_occasions_with_spend", "mean_occasion_net"),
}
"""The spend models: one likelihood, on repeat occasions or on all."""
COUNT_TRIED_FOR_LESSONS = 2
"""Purchase models tried on an evening that is a lesson only: where neither of the first two finds a drop-out, the
search of the others takes long to find none either (Pareto/NBD 1.2 s an evening on Online Retail II)."""
PRIOR_SPEND = ("gamma_gamma_all", "gamma_gamma")
"""Which spend model comes first, for the learners and as incumbent: the one on all occasions beat the one on repeats
in RMSE, deviance and Gini at all five cut-offs tried inside the histories of CDNOW, Online Retail II and the built-in
shop; the back-test may still prefer the other."""


@dataclass(frozen=True)
class Fits:
    """What is fitted on one evening; what could not be certified is absent, with its reason in `refusals`.

    Attributes:
        lesson_days: days ahead that the corrections have learned.
        purchase: purchase models in days, in order of preference; the first is the one that corrections correct.
        spend: spend models.
        cohorts: averages by month of first order.
        level: season and level of the shop's orders; None where it was not asked for.
        spend_level: season and level of net per order; None where it was not asked for.
        in_season: the purchase models again, by the shop's own clock; empty where the level is gated or not wanted.
        corrections: what the learners learned.
        refusals: name to reason.
    """

    lesson_days: int
    purchase: Mapping[str, PurchaseModel]
    spend: Mapping[str, GammaGamma]
    cohorts: CohortMeans
    level: OrdersLevel | None = None
    spend_level: Foreseen | None = None
    in_season: Mapping[str, SeasonalModel] = field(default_factory=dict)
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str | None:
        """The purchase model that corrections start from; None where none is certified."""
        return next(iter(self.purchase), None)

    def predicting(self, name: str | None) -> FittedPurchaseModel | None:
        """The purchase model that predicts: by the shop's own clock where there is one; None where it is not certified.

        Args:
            name: key of `PURCHASE_MODELS`; None for the first.
        """
        wanted = name or self.base
        return None if wanted is None else (self.in_season or self.purchase).get(wanted)

    def out_of_season(self) -> Fits:
        """The same fits, predicting by the calendar, orders and spend alike."""
        return replace(self, in_season={}, spend_level=None)

    def spend_factor(self, steps_days: FloatArray) -> FloatArray:
        """Mean factor of net per order up to each step, shape as given; 1 where there is no level of spend.

        Args:
            steps_days: days ahead, above 0.
        """
        return np.ones(steps_days.shape) if self.spend_level is None else self.spend_level.factor(steps_days)

    def prior(self, features: pd.DataFrame) -> Prior | None:
        """What the first purchase model and the spend model say over the lesson; None where either is missing.

        Args:
            features: rows of `customer_features` of the same evening.
        """
        spend_name = next((name for name in PRIOR_SPEND if name in self.spend), None)
        if self.base is None or spend_name is None:
            return None
        model, one = self.purchase[self.base], histories_of(features)
        orders = model.expected_purchases(one.x, one.t_x, one.age, self.lesson_days)[one.row_of]
        no_order = model.probability_no_purchase(one.x, one.t_x, one.age, self.lesson_days)[one.row_of]
        return Prior(orders, orders * self.mean_net(spend_name, features), no_order)

    def mean_net(self, spend_name: str, features: pd.DataFrame) -> FloatArray:
        """Expected net per order by one spend model, in money, shape (n,).

        Args:
            spend_name: key of `spend`.
            features: rows of `customer_features`.
        """
        columns = (_column(features, name) for name in SPEND_COLUMNS[spend_name])
        return self.spend[spend_name].expected_mean_spend(*columns)

    def to_dict(self) -> dict[str, Any]:
        """A few numbers and where they come from, JSON-able."""
        return {
            "unit": "day",
            "base": self.base,
            "purchase": {name: model.to_dict() for name, model in self.purchase.items()},
            "spend": {name: model.to_dict() for name, model in self.spend.items()},
            "corrections": {name: correction.to_dict() for name, correction in self.corrections.items()},
            "lesson_days": self.lesson_days,
            "level": None if self.level is None else self.level.to_dict(),
            "spend_level": None if self.spend_level is None else self.spend_level.to_dict(),
            "is_in_season": bool(self.in_season),
            "refusals": dict(self.refusals),
        }


def prior_parts(fits: Fits) -> list[str]:
    """Names of the purchase and the spend model that come first: learners start from them.

    Args:
        fits: of the evening.
    """
    return [*list(fits.purchase)[:1], *[name for name in PRIOR_SPEND if name in fits.spend][:1]]


def histories_of(features: pd.DataFrame) -> Histories:
    """The distinct histories of some customers.

    Args:
        features: rows of `customer_features` or `purchase_history`.
    """
    return distinct_histories(*(_column(features, name) for name in HISTORY_COLUMNS))


def fit_models(
    features: pd.DataFrame,
    lesson_days: int,
    preferred: ModelName,
    *,
    stops_at_first: bool = False,
) -> Fits:
    """The purchase and spend models of one evening, without corrections.

    Args:
        features: rows of `customer_features` at one cut-off.
        lesson_days: days ahead that corrections are to learn.
        preferred: the purchase model that comes first where it is certified.
        stops_at_first: whether the first certified purchase model is enough, as for a lesson.
    """
    purchase: dict[str, PurchaseModel] = {}
    spend: dict[str, GammaGamma] = {}
    refusals: dict[str, str] = {}
    x, t_x, age = (_column(features, name) for name in HISTORY_COLUMNS)
    total_log_gap = float(_column(features, "total_log_gap").sum())
    names = sorted(PURCHASE_MODELS, key=lambda name: name != preferred)
    for name in names[:COUNT_TRIED_FOR_LESSONS] if stops_at_first else names:
        if purchase and stops_at_first:
            break
        try:
            purchase[name] = PURCHASE_MODELS[name].fit(x, t_x, age, total_log_gap=total_log_gap)
        except DidNotConverge as refusal:
            refusals[name] = str(refusal)
    for name, (count, mean) in SPEND_COLUMNS.items():
        try:
            spend[name] = GammaGamma.fit(_column(features, count), _column(features, mean))
        except DidNotConverge as refusal:
            refusals[name] = str(refusal)
    return Fits(lesson_days, purchase, spend, CohortMeans.of(features), refusals=refusals)


def levelled(fits: Fits, activity: Activity, features: pd.DataFrame) -> Fits:
    """The same fits with the season and level of the shop's orders.

    Args:
        fits: of the evening.
        activity: from `repeat_activity` of the evening.
        features: that the purchase models were fitted to.

    Returns:
        Fits whose models run by the shop's own clock, one clock for all; the clock is found with the first model that
        needs no gaps. Regularity (k of the CNBD models) is taken from the calendar: gaps by the clock are not kept.
    """
    leading = next(
        (name for name in fits.purchase if not issubclass(PURCHASE_MODELS[name], CondensedBetaGeometric)), None
    )
    if leading is None:
        return fits
    one = histories_of(features)
    level = fit_orders_level(activity, PURCHASE_MODELS[leading], one.x, one.t_x, one.age, count_customers=one.count)
    in_season: dict[str, SeasonalModel] = {}
    refusals = dict(fits.refusals)
    by_clock = level.clock.histories(one.t_x, one.age)
    for name, model in () if level.foreseen.is_gated else fits.purchase.items():
        try:
            in_season[name] = SeasonalModel(model.refitted(one.x, *by_clock, one.count), level.clock)
        except DidNotConverge as refusal:
            refusals[f"{name}_in_season"] = str(refusal)
    if fits.base not in in_season:
        in_season = {}
    return replace(fits, level=level, in_season=in_season, refusals=refusals)


def spend_levelled(fits: Fits, activity_of: Callable[[float, float], SpendActivity]) -> Fits:
    """The same fits with the season and level of spend per order.

    Args:
        fits: of the evening.
        activity_of: `spend_activity` of the evening, still to be told the mean net that is expected of a new customer
            and how many occasions that is worth.
    """
    model = next((fits.spend[name] for name in PRIOR_SPEND if name in fits.spend), None)
    if model is None or not model.is_population_mean_defined:
        return fits
    prior_occasions = (model.params_.q - 1) / model.params_.p
    return replace(fits, spend_level=fit_spend_level(activity_of(model.population_mean, prior_occasions)))


def lesson_of(fits: Fits, features: pd.DataFrame, outcomes: pd.DataFrame) -> Lesson | None:
    """What this evening teaches once its horizon has ended; None where no purchase or spend model was certified.

    Args:
        fits: of the evening.
        features: rows of `customer_features` on it.
        outcomes: of the same evening, from `aligned_outcomes`.
    """
    prior = fits.prior(features)
    if prior is None:
        return None
    return Lesson(design_matrix(features, prior), prior, _column(outcomes, "orders"), _column(outcomes, "net"))


def taught(
    fits: Fits, features: pd.DataFrame, lessons: Sequence[Lesson], learners: Iterable[str], threads: int = 1
) -> Fits:
    """The same fits with what the learners learned.

    Args:
        fits: of the evening that is to be predicted from.
        features: rows of `customer_features` on it.
        lessons: of earlier evenings whose horizons have ended.
        learners: keys of `LEARNERS`.
        threads: of LightGBM.
    """
    corrections: dict[str, Correction] = {}
    refusals = dict(fits.refusals)
    prior = fits.prior(features)
    if prior is None:
        return fits
    design = design_matrix(features, prior)
    for name in learners:
        learned = learn(name, lessons, threads)
        if learned is None:
            refusals[name] = (
                f"fewer than {MINIMUM_BUYERS} customers ordered within {fits.lesson_days} days of "
                f"{len(lessons)} earlier cut-offs: nothing to learn from"
            )
        else:
            corrections[name] = learned.keeping_total(design, prior)
    return replace(fits, corrections=corrections, refusals=refusals)


def aligned_outcomes(features: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """What followed for each row of the features: orders and net, 0 for who did not buy.

    Args:
        features: with cutoff_date and customer_key.
        outcomes: from `customer_outcomes` of the same cut-offs; first-time buyers in it are left out.
    """
    keys = ["cutoff_date", "customer_key"]
    found = features[keys].merge(outcomes, how="left", on=keys)
    return pd.DataFrame(
        {
            "orders": found["count_occasions"].fillna(0).to_numpy(dtype=np.float64),
            "net": found["total_net"].fillna(0).to_numpy(dtype=np.float64),
        }
    )


def _column(frame: pd.DataFrame, name: str) -> FloatArray:
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
