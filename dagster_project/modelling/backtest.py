"""Back-test: predictions made at a past cut-off, scored against what followed, beside plain baselines.

Belongs here: which customers are scored, which baselines stand beside the model, and the long table of scores. The
scores themselves: `evaluation.py`. Pure on frames: the caller reads the history at the cut-off and the hold-out.

A refused or failed fit keeps its rows: the model's scores are null and `status` and `status_reason` say why, so every
back-test has the same grain. Baselines need no fit, are always scored, and have the status `baseline`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from dagster_project.modelling import cohorts, evaluation
from dagster_project.modelling.churn import ChurnSettings, customer_churn, is_active
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.value import ValueSettings, customer_value

Scorer: TypeAlias = Callable[[npt.ArrayLike, npt.ArrayLike], evaluation.Score]

AMOUNT_SCORERS: Mapping[str, Scorer] = {
    "rmse": evaluation.rmse,
    "mae": evaluation.mae,
    "total_bias": evaluation.total_bias,
    "spearman": evaluation.spearman,
    "normalised_gini": evaluation.normalised_gini,
    "top_decile_capture": evaluation.top_decile_capture,
}
RANKING_SCORERS: Mapping[str, Scorer] = {"roc_auc": evaluation.roc_auc}
EVENT_SCORERS: Mapping[str, Scorer] = {
    **RANKING_SCORERS,
    "brier": evaluation.brier,
    "log_loss": evaluation.log_loss,
    "calibration_error": evaluation.calibration_error,
}
PREDICTIONS = ("orders", "net", "no_order")
_COLUMNS = {
    "prediction": "str",
    "model": "str",
    "cutoff_date": "datetime64[s]",
    "horizon_days": "int64",
    "count_customers": "int64",
    "score": "str",
    "score_value": "float64",
    "status": "str",
    "status_reason": "str",
}


def holdout_days(horizon_days: int, history_days: int) -> int:
    """Days to hold out: the horizon, or a third of the history where that is shorter.

    Args:
        horizon_days: the horizon that customers are predicted for, at least 1.
        history_days: days from the shop's first order to as-of, at least 0.

    Returns:
        Whole days; 0 means that there is too little history to back-test at all.
    """
    return min(horizon_days, history_days // 3)


def backtest(
    history: pd.DataFrame,
    future: pd.DataFrame,
    cutoff: dt.date,
    horizon_days: int,
    *,
    settings: ValueSettings | None = None,
    predictions: tuple[str, ...] = PREDICTIONS,
) -> pd.DataFrame:
    """Scores of the model and its baselines on one hold-out, one row per prediction, model and score.

    Args:
        history: from `purchase_history` at the cut-off.
        future: from `future_purchases` after the cut-off, up to cut-off + horizon_days; customers who are not in the
            history were first seen in the hold-out and are left out.
        cutoff: last day that the models see.
        horizon_days: length of the hold-out, at least 1.
        settings: purchase model and gate; its horizon is replaced by horizon_days.
        predictions: which of `orders`, `net` and `no_order`. Those for value and for churn have horizons of their
            own: call once for each.

    Returns:
        prediction, model, cutoff_date, horizon_days, count_customers, score, score_value (null where undefined or
        not fitted), status (`fitted`, `insufficient_data`, `did_not_converge`, `baseline`), status_reason.

        Beside orders and net: `zero`, `rate_times_time` (a customer's own repeats per day observed, times their own
        mean net) and `cohort_mean` (what customers get without a model). Beside no_order, which is scored on
        customers active at the cut-off: `days_since_last_order`, a ranking without a probability, and `base_rate`,
        the hold-out's own share: no constant known in advance could beat it.

    Raises:
        ValueError: the history is of another cut-off, a prediction is unknown, or the horizon has no day.
    """
    unknown = set(predictions) - set(PREDICTIONS)
    if unknown:
        raise ValueError(f"predictions {sorted(unknown)} are unknown; expected some of {', '.join(PREDICTIONS)}")
    value_settings = replace(settings or ValueSettings(), horizon_days=horizon_days)
    value = customer_value(history, cutoff, value_settings)
    bought = future.set_index("customer_key").reindex(history["customer_key"])
    rows: list[dict[str, object]] = []
    for prediction, outcome in (("orders", "count_occasions"), ("net", "total_net")):
        if prediction in predictions:
            models = _amount_baselines(history, horizon_days, is_net=prediction == "net")
            predicted = value.customers[f"predicted_{prediction}"]
            models[value_settings.purchase_model] = predicted.to_numpy(dtype=np.float64)
            actual = bought[outcome].fillna(0).to_numpy(dtype=np.float64)
            rows += _scored(prediction, models, actual, (value.status, value.status_reason))
    if "no_order" in predictions:
        churn = customer_churn(history, cutoff, ChurnSettings(horizon_days), purchase_fit=value.purchase_fit)
        active = is_active(history, horizon_days)
        happened = np.asarray(bought["count_occasions"].isna().to_numpy()[active], dtype=np.float64)
        days_since = churn.customers["days_since_last_order"].to_numpy(dtype=np.float64)[active]
        probability = churn.customers["probability_no_order"].to_numpy(dtype=np.float64)[active]
        base_rate = np.full(happened.size, happened.mean() if happened.size else np.nan)
        fit = churn.purchase_fit
        models = {"days_since_last_order": days_since, "base_rate": base_rate, fit.name: probability}
        rows += _scored("no_order", models, happened, (fit.status, fit.status_reason))
    scores = pd.DataFrame(rows).assign(cutoff_date=np.datetime64(cutoff, "s"), horizon_days=horizon_days)
    return scores.reindex(columns=list(_COLUMNS)).astype(_COLUMNS)


def _amount_baselines(history: pd.DataFrame, horizon_days: int, *, is_net: bool) -> dict[str, FloatArray]:
    """Baseline predictions of orders, or of net, each of shape (n,)."""
    days = history["days_observed"].to_numpy(dtype=np.float64)
    own_rate = history["count_repeat_occasions"].to_numpy(dtype=np.float64) / np.maximum(days, 1)
    own_mean = history["mean_occasion_net"].fillna(0).to_numpy(dtype=np.float64)
    cohort_orders = cohorts.orders_per_day(history) * horizon_days
    return {
        "zero": np.zeros(len(history)),
        "rate_times_time": own_rate * horizon_days * (own_mean if is_net else 1.0),
        "cohort_mean": cohort_orders * (cohorts.mean_order_net(history) if is_net else 1.0),
    }


def _scored(
    prediction: str, models: Mapping[str, FloatArray], actual: FloatArray, model_status: tuple[str, str | None]
) -> list[dict[str, object]]:
    """One row per model and score; the last model is the one that was fitted, the others are baselines."""
    fitted_name, rows = list(models)[-1], []
    for name, predicted in models.items():
        status, reason = model_status if name == fitted_name else ("baseline", None)
        scorers = AMOUNT_SCORERS if prediction != "no_order" else EVENT_SCORERS
        scorers = RANKING_SCORERS if name == "days_since_last_order" else scorers
        for score, scorer in scorers.items():
            is_scored = status in {"fitted", "baseline"}
            row = {
                "prediction": prediction,
                "model": name,
                "count_customers": actual.size,
                "score": score,
                "score_value": scorer(actual, predicted) if is_scored else None,
                "status": status,
                "status_reason": reason,
            }
            rows.append(row)
    return rows
