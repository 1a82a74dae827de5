"""From a purchase history to a fitted purchase model, or to the reason why there is none.

Belongs here: the gate (has this shop enough history?), the choice of model, and the status that every prediction
carries. The models themselves: `btyd/`. What customers get when there is no model: `cohorts.py`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import pandas as pd

from dagster_project.modelling.btyd import PURCHASE_MODELS
from dagster_project.modelling.level.clock import FittedPurchaseModel
from dagster_project.modelling.maximum_likelihood import DidNotConverge

ModelName: TypeAlias = Literal["mbg_nbd", "bg_nbd"]
Status: TypeAlias = Literal["fitted", "insufficient_data", "did_not_converge"]


@dataclass(frozen=True)
class ModelGate:
    """How much history a shop needs before a model is fitted; below it, cohort averages.

    Attributes:
        minimum_customers: customers with an order.
        minimum_history_days: days from the shop's first order to as-of.
        maximum_days_since_last_order: days from the shop's last order to as-of; more means a source that stopped.
        minimum_customers_with_three_occasions: they carry what is known of drop-out.
    """

    minimum_customers: int = 500
    minimum_history_days: int = 180
    maximum_days_since_last_order: int = 30
    minimum_customers_with_three_occasions: int = 50

    def refusal(self, history: pd.DataFrame) -> str | None:
        """What the history lacks, or None when it is enough.

        Args:
            history: from `purchase_history`, or of distinct histories with `count_customers` (whole shop either way).
        """
        if history.empty:
            return "no customer has an order"
        customers = history.get("count_customers", pd.Series(1, index=history.index))
        count_customers, history_days = int(customers.sum()), int(history["days_observed"].max())
        days_silent = int((history["days_observed"] - history["days_first_to_last_order"]).min())
        count_three = int(customers[history["count_repeat_occasions"] >= 2].sum())
        lacks = []
        if count_customers < self.minimum_customers:
            lacks.append(f"{count_customers} customers, at least {self.minimum_customers} needed")
        if history_days < self.minimum_history_days:
            lacks.append(f"{history_days} days of history, at least {self.minimum_history_days} needed")
        if days_silent > self.maximum_days_since_last_order:
            lacks.append(f"last order {days_silent} days ago, at most {self.maximum_days_since_last_order} allowed")
        if count_three < self.minimum_customers_with_three_occasions:
            needed = self.minimum_customers_with_three_occasions
            lacks.append(f"{count_three} customers with three purchase occasions, at least {needed} needed")
        return "; ".join(lacks) or None


@dataclass(frozen=True)
class PurchaseModelFit:
    """A fitted model in days, or none with the status and its reason in its place.

    Attributes:
        name: the model asked for.
        status: `fitted` exactly when there is a model.
        status_reason: None when fitted.
        model: None unless fitted.
    """

    name: str
    status: Status
    status_reason: str | None
    model: FittedPurchaseModel | None

    def to_dict(self) -> dict[str, Any]:
        """The fit as a JSON-able dictionary; its unit of time is the day."""
        fitted = {} if self.model is None else self.model.to_dict()
        return {"model": self.name, "status": self.status, "status_reason": self.status_reason, "unit": "day"} | fitted


def fit_purchase_model(history: pd.DataFrame, gate: ModelGate, name: ModelName) -> PurchaseModelFit:
    """The purchase model of this history in days, or why there is none.

    Args:
        history: from `purchase_history`.
        gate: what the history must offer.
        name: which model.

    Raises:
        ValueError: the name is unknown, or a history is impossible.
    """
    if name not in PURCHASE_MODELS:
        raise ValueError(f"purchase model {name!r} is unknown; expected one of {', '.join(PURCHASE_MODELS)}")
    refusal = gate.refusal(history)
    if refusal is not None:
        return PurchaseModelFit(name, "insufficient_data", refusal, None)
    try:
        model = PURCHASE_MODELS[name].fit(
            history["count_repeat_occasions"], history["days_first_to_last_order"], history["days_observed"]
        )
    except DidNotConverge as error:
        return PurchaseModelFit(name, "did_not_converge", str(error), None)
    return PurchaseModelFit(name, "fitted", None, model)


def check_as_of(history: pd.DataFrame, as_of: dt.date) -> None:
    """Refuse a history of another night.

    Args:
        history: from `purchase_history`.
        as_of: the day that predictions are to start from.

    Raises:
        ValueError: some customer was observed up to another day.
    """
    observed_until = pd.to_datetime(history["first_order_date"]) + pd.to_timedelta(history["days_observed"], unit="D")
    others = observed_until[observed_until != pd.Timestamp(as_of)]
    if not others.empty:
        raise ValueError(
            f"the history is observed up to {others.iloc[0].date()}, expected {as_of}: "
            "build it with purchase_history() for the same as-of"
        )
