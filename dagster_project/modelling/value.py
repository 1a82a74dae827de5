"""What each customer is expected to buy and be worth within a horizon.

Belongs here: the purchase and the spend model joined into customer lifetime value, and cohort averages in their place
when a shop has too little history. Historic and predicted worth stand apart and are never added.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from dagster_project.modelling import cohorts
from dagster_project.modelling.btyd import PurchaseModel
from dagster_project.modelling.histories import FloatArray, distinct_histories
from dagster_project.modelling.maximum_likelihood import DidNotConverge
from dagster_project.modelling.purchase_model import (
    ModelGate,
    ModelName,
    PurchaseModelFit,
    Status,
    check_as_of,
    fit_purchase_model,
)
from dagster_project.modelling.spend import GammaGamma

COUNT_DISCOUNT_STEPS = 12
"""Steps of the horizon over which predicted purchases are discounted: months, when the horizon is a year."""
DAYS_PER_YEAR = 365


@dataclass(frozen=True)
class ValueSettings:
    """What a value rests on besides the orders.

    Attributes:
        horizon_days: days ahead, at least 1.
        annual_discount_rate: of future margin, above -1; 0.10 is ten per cent a year.
        margin_share: margin over net sales, 0 to 1.
        purchase_model: `mbg_nbd` or `bg_nbd`.
        gate: how much history a model needs.
    """

    horizon_days: int = 365
    annual_discount_rate: float = 0.10
    margin_share: float = 0.30
    purchase_model: ModelName = "mbg_nbd"
    gate: ModelGate = field(default_factory=ModelGate)

    def __post_init__(self) -> None:
        """Refuse settings that no value can be made of."""
        if self.horizon_days < 1:
            raise ValueError(f"horizon_days is {self.horizon_days}; expected at least 1")
        if not self.annual_discount_rate > -1:
            raise ValueError(
                f"annual_discount_rate is {self.annual_discount_rate}; expected above -1, as 0.10 for 10 %"
            )
        if not 0 <= self.margin_share <= 1:
            raise ValueError(f"margin_share is {self.margin_share}; expected 0 to 1")


@dataclass(frozen=True)
class ValueResult:
    """Values of all customers, and where they come from.

    Attributes:
        customers: one row per customer, in the order of the history; columns as in `customer_value`.
        status: of every customer, said here too for a shop that has none.
        status_reason: None when fitted.
        purchase_fit: to predict more from the same fit, as churn; fitted even where only the spend model failed.
        fit: parameters, log-likelihoods and certificates of both models, JSON-able.
    """

    customers: pd.DataFrame
    status: Status
    status_reason: str | None
    purchase_fit: PurchaseModelFit
    fit: dict[str, Any]


def customer_value(history: pd.DataFrame, as_of: dt.date, settings: ValueSettings | None = None) -> ValueResult:
    """One row per customer: purchases, spend and value expected within the horizon, from models or cohort averages.

    Args:
        history: from `purchase_history` for the same as-of; may be empty.
        as_of: the day that the horizon starts after.
        settings: horizon, discount, margin, model and gate.

    Returns:
        `customers` with customer_key, as_of_date, horizon_days, status (`fitted`, `insufficient_data`,
        `did_not_converge`), status_reason (null when fitted), model (`cohort_mean` unless fitted),
        count_repeat_occasions, days_first_to_last_order, days_observed, probability_alive (null unless fitted),
        predicted_orders (within the horizon), predicted_mean_order_net, predicted_net (not discounted), predicted_clv
        (margin, discounted), historic_net, historic_margin. Predictions are null only where cohort averages have no
        base at all: nobody observed for a day, or nobody with spend.

        predicted_clv sums [E(t_k) - E(t_k-1)] E[spend] margin / (1 + rate)^(t_k / 365) over 12 equal steps t_k of the
        horizon, in actual days.

    Raises:
        ValueError: the history is of another as-of, or impossible.
    """
    settings = settings or ValueSettings()
    check_as_of(history, as_of)
    steps = settings.horizon_days * np.arange(1, COUNT_DISCOUNT_STEPS + 1) / COUNT_DISCOUNT_STEPS
    purchase_fit = fit_purchase_model(history, settings.gate, settings.purchase_model)
    fit, spend_model = purchase_fit, None
    if fit.model is not None:
        try:
            spend_model = GammaGamma.fit(*_spends(history))
        except DidNotConverge as error:
            fit = replace(purchase_fit, status="did_not_converge", status_reason=str(error), model=None)
    if fit.model is not None and spend_model is not None:
        alive, orders = _predicted_orders(history, fit.model, steps)
        mean_net = spend_model.expected_mean_spend(*_spends(history))
    else:
        alive = np.full(len(history), np.nan)
        orders = cohorts.orders_per_day(history)[:, None] * steps
        mean_net = cohorts.mean_order_net(history)
    discount = (1 + settings.annual_discount_rate) ** (-steps / DAYS_PER_YEAR)
    discounted_orders = np.diff(orders, axis=1, prepend=0.0) @ discount
    customers = _as_rows(history, as_of, settings.horizon_days, fit)
    customers["probability_alive"] = alive
    customers["predicted_orders"] = orders[:, -1]
    customers["predicted_mean_order_net"] = mean_net
    customers["predicted_net"] = orders[:, -1] * mean_net
    customers["predicted_clv"] = discounted_orders * mean_net * settings.margin_share
    customers["historic_net"] = history["total_net"].to_numpy(dtype=np.float64)
    customers["historic_margin"] = customers["historic_net"] * settings.margin_share
    described = {
        "as_of": as_of.isoformat(),
        "count_customers": len(history),
        "status": fit.status,
        "status_reason": fit.status_reason,
        "settings": asdict(settings),
        "purchase": purchase_fit.to_dict(),
        "spend": None if spend_model is None else spend_model.to_dict(),
    }
    return ValueResult(customers, fit.status, fit.status_reason, purchase_fit, described)


def _spends(history: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """What the spend model reads: repeat occasions with spend, and their mean net."""
    return (
        history["count_repeat_occasions_with_spend"].to_numpy(dtype=np.float64),
        history["mean_repeat_occasion_net"].to_numpy(dtype=np.float64),
    )


def _predicted_orders(history: pd.DataFrame, model: PurchaseModel, steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P(alive), shape (n,), and expected orders up to each step, shape (n, k): once per distinct history."""
    columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
    distinct = distinct_histories(*(history[column].to_numpy(dtype=np.float64) for column in columns))
    alive = model.probability_alive(distinct.x, distinct.t_x, distinct.age)
    orders = model.expected_purchases(distinct.x[:, None], distinct.t_x[:, None], distinct.age[:, None], steps)
    return alive[distinct.row_of], orders[distinct.row_of]


def _as_rows(history: pd.DataFrame, as_of: dt.date, horizon_days: int, fit: PurchaseModelFit) -> pd.DataFrame:
    """The columns that describe a prediction, before the prediction."""
    return pd.DataFrame(
        {
            "customer_key": history["customer_key"].astype("str").reset_index(drop=True),
            "as_of_date": np.full(len(history), np.datetime64(as_of, "s")),
            "horizon_days": np.full(len(history), horizon_days, dtype=np.int64),
            "status": pd.Series([fit.status] * len(history), dtype="str"),
            "status_reason": pd.Series([fit.status_reason] * len(history), dtype="str"),
            "model": pd.Series([fit.name if fit.model is not None else "cohort_mean"] * len(history), dtype="str"),
            "count_repeat_occasions": history["count_repeat_occasions"].to_numpy(dtype=np.int64),
            "days_first_to_last_order": history["days_first_to_last_order"].to_numpy(dtype=np.int64),
            "days_observed": history["days_observed"].to_numpy(dtype=np.int64),
        }
    )
