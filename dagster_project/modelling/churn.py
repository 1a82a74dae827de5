"""How likely each customer is not to order within a horizon.

Belongs here: the churn score, its bands and its population. The score is the exact probability of no order in the
horizon, not 1 - P(alive): on CDNOW that one ranks worse than chance (AUC 0.32 against 0.76).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dagster_project.modelling.cohorts import cohort_ratio
from dagster_project.modelling.histories import FloatArray, distinct_histories
from dagster_project.modelling.leaving.reason_words import Language
from dagster_project.modelling.purchase_model import (
    ModelGate,
    ModelName,
    PurchaseModelFit,
    check_as_of,
    fit_purchase_model,
)


@dataclass(frozen=True)
class ChurnSettings:
    """What churn means here.

    Attributes:
        horizon_days: days ahead without an order that are churn, at least 1.
        low_below: probabilities below are the band `low`.
        high_above: probabilities above are the band `high`; the rest is `mid`.
        purchase_model: which model, where none is given.
        gate: how much history a model needs.
        is_chosen_by_backtest: whether anybody may replace the purchase model.
        language: of the reasons.
        maximum_customers: customers that are learned from, by a hash of their key.
        learning_threads: of LightGBM; the results are the same for any number.
    """

    horizon_days: int = 90
    low_below: float = 0.33
    high_above: float = 0.66
    purchase_model: ModelName = "mbg_nbd"
    gate: ModelGate = field(default_factory=ModelGate)
    is_chosen_by_backtest: bool = True
    language: Language = "en"
    maximum_customers: int = 25_000
    learning_threads: int = 1

    def __post_init__(self) -> None:
        """Refuse settings that leave no bands."""
        if self.horizon_days < 1:
            raise ValueError(f"horizon_days is {self.horizon_days}; expected at least 1")
        if not 0 <= self.low_below <= self.high_above <= 1:
            raise ValueError(
                f"bands are below {self.low_below} and above {self.high_above}; expected both in 0 to 1, in this order"
            )


@dataclass(frozen=True)
class ChurnResult:
    """Churn of all customers, one row each in the order of the history, and the fit that it rests on."""

    customers: pd.DataFrame
    purchase_fit: PurchaseModelFit


def customer_churn(
    history: pd.DataFrame,
    as_of: dt.date,
    settings: ChurnSettings | None = None,
    purchase_fit: PurchaseModelFit | None = None,
    earlier_history: pd.DataFrame | None = None,
) -> ChurnResult:
    """One row per customer: the probability of no order within the horizon, and its band.

    Args:
        history: from `purchase_history` for the same as-of; may be empty.
        as_of: the day that the horizon starts after.
        settings: horizon, bands, model and gate.
        purchase_fit: of the same history; fitted here where absent.
        earlier_history: from `purchase_history` as of one horizon before; only used where there is no model.

    Returns:
        `customers` with customer_key, as_of_date, horizon_days, status, status_reason (null when fitted), model
        (`cohort_share` unless fitted), is_active (an order in the 2 x horizon days up to as-of),
        days_since_last_order, probability_no_order, risk_band (`low`, `mid`, `high`).

        Without a model the probability is the share of the cohort's customers who were active one horizon ago and
        have not ordered since. It speaks of active customers only: the others, and everybody where there is no
        earlier history, get null, and so does their band.

    Raises:
        ValueError: a history is of another day than it should be, or impossible.
    """
    settings = settings or ChurnSettings()
    check_as_of(history, as_of)
    fit = purchase_fit or fit_purchase_model(history, settings.gate, settings.purchase_model)
    days_since = (history["days_observed"] - history["days_first_to_last_order"]).to_numpy(dtype=np.int64)
    active = is_active(history, settings.horizon_days)
    if fit.model is not None:
        columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
        distinct = distinct_histories(*(history[column].to_numpy(dtype=np.float64) for column in columns))
        scores = fit.model.probability_no_purchase(distinct.x, distinct.t_x, distinct.age, settings.horizon_days)
        probability = scores[distinct.row_of]
    else:
        probability = _cohort_share(history, as_of, settings.horizon_days, earlier_history)
        probability[~active] = np.nan
    count = len(history)
    customers = pd.DataFrame(
        {
            "customer_key": history["customer_key"].astype("str").reset_index(drop=True),
            "as_of_date": np.full(count, np.datetime64(as_of, "s")),
            "horizon_days": np.full(count, settings.horizon_days, dtype=np.int64),
            "status": pd.Series([fit.status] * count, dtype="str"),
            "status_reason": pd.Series([fit.status_reason] * count, dtype="str"),
            "model": pd.Series([fit.name if fit.model is not None else "cohort_share"] * count, dtype="str"),
            "is_active": active,
            "days_since_last_order": days_since,
            "probability_no_order": probability,
            "risk_band": risk_band(probability, settings),
        }
    )
    return ChurnResult(customers, fit)


def is_active(history: pd.DataFrame, horizon_days: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each customer ordered within the last 2 x horizon days, as-of itself included; shape (n,).

    Args:
        history: from `purchase_history`.
        horizon_days: the churn horizon, in days.
    """
    days_since = history["days_observed"] - history["days_first_to_last_order"]
    return (days_since < 2 * horizon_days).to_numpy(dtype=np.bool_)


def risk_band(probability: FloatArray, settings: ChurnSettings) -> pd.Series:
    """Band of each probability: `low`, `mid`, `high`, or null where there is none; shape (n,).

    Args:
        probability: of no order, shape (n,), 0 to 1 or NaN.
        settings: the limits; both belong to `mid`.
    """
    bands = np.select([probability < settings.low_below, probability > settings.high_above], ["low", "high"], "mid")
    return pd.Series(bands, dtype="str").where(~np.isnan(probability))


def _cohort_share(
    history: pd.DataFrame, as_of: dt.date, horizon_days: int, earlier_history: pd.DataFrame | None
) -> FloatArray:
    """Share without an order since, of those active one horizon ago, by cohort; NaN where it cannot be known."""
    if earlier_history is None:
        return np.full(len(history), np.nan)
    cutoff = as_of - dt.timedelta(days=horizon_days)
    check_as_of(earlier_history, cutoff)
    was_active = earlier_history[is_active(earlier_history, horizon_days)]
    last_orders = history.set_index("customer_key")["last_order_date"].reindex(was_active["customer_key"])
    stayed_away = ~(pd.to_datetime(last_orders) > pd.Timestamp(cutoff))
    everyone = pd.Series(1.0, index=stayed_away.index)
    return cohort_ratio(was_active["cohort_month"], stayed_away, everyone, history["cohort_month"])
