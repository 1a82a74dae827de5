"""The track record: every score of every candidate on every evening of the back-test, as one long table.

Belongs here: which scores stand for which prediction, and for which groups of customers. The scores themselves:
`evaluation.py`, `event_evaluation.py`; the trials: `backtest.py`.

Grain: prediction, model, cut-off, segment and score. Whoever could not be fitted on an evening keeps its rows: the
scores are null and the status says so. Baselines need no fit and have the status `baseline`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from dagster_project.modelling import evaluation, event_evaluation, scored_pairs
from dagster_project.modelling.backtest import TABLES
from dagster_project.modelling.candidates import BASELINES
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.selection import Prediction, Trial

Scorer: TypeAlias = Callable[[npt.ArrayLike, npt.ArrayLike], scored_pairs.Score]

_AMOUNT_SCORERS: Mapping[str, Scorer] = {
    "rmse": evaluation.rmse,
    "mae": evaluation.mae,
    "total_bias": evaluation.total_bias,
    "spearman": evaluation.spearman,
    "normalised_gini": evaluation.normalised_gini,
    "top_decile_capture": evaluation.top_decile_capture,
}
_RANKING_SCORERS: Mapping[str, Scorer] = {
    "roc_auc": event_evaluation.roc_auc,
    "top_decile_lift": event_evaluation.top_decile_lift,
}
SCORERS: Mapping[Prediction, Mapping[str, Scorer]] = {
    "orders": {**_AMOUNT_SCORERS, "poisson_deviance": evaluation.poisson_deviance},
    "net": {**_AMOUNT_SCORERS, "tweedie_deviance": evaluation.tweedie_deviance},
    "no_order": {
        **_RANKING_SCORERS,
        "brier": event_evaluation.brier,
        "log_loss": event_evaluation.log_loss,
        "calibration_error": event_evaluation.calibration_error,
        "calibration_slope": event_evaluation.calibration_slope,
    },
}
SEGMENT_SCORERS: Mapping[str, Scorer] = {
    "mean_actual": evaluation.mean_actual,
    "mean_predicted": evaluation.mean_predicted,
    "total_bias": evaluation.total_bias,
    "rmse": evaluation.rmse,
}
RANKING = "days_since_last_order"
EVENT_BASELINES = (RANKING, "base_rate")
COUNT_DECILES = 10
COLUMNS = {
    "prediction": "str",
    "model": "str",
    "is_champion": "bool",
    "cutoff_date": "datetime64[s]",
    "horizon_days": "int64",
    "segment_type": "str",
    "segment": "str",
    "count_customers": "int64",
    "score": "str",
    "score_value": "float64",
    "status": "str",
    "status_reason": "str",
}


def score_table(
    trials: Mapping[Prediction, Sequence[Trial]],
    horizon_days: int,
    champions: Mapping[Prediction, str],
    coverages: Mapping[tuple[Prediction, dt.date, float], float | None] | None = None,
    tried: Mapping[Prediction, Iterable[str]] = TABLES,
) -> pd.DataFrame:
    """Every score of every trial.

    Args:
        trials: from `Past.trials`.
        horizon_days: of the back-test.
        champions: who was chosen for tonight, and is scored by group of customers too.
        tried: everyone who was tried, fitted or not.
        coverages: as of `ChampionErrors`; scores `coverage_50`, `coverage_80` and `coverage_95` of the champions.

    Returns:
        prediction, model, is_champion, cutoff_date, horizon_days, segment_type and segment (`all` and `all`; for the
        champion also `predicted_decile`, 1 the highest predictions, and `cohort_month`), count_customers, score,
        score_value (null where undefined or not fitted), status (`fitted`, `not_fitted`, `baseline`), status_reason.
    """
    rows = [
        row | {"prediction": prediction, "cutoff_date": np.datetime64(trial.cutoff, "s"), "horizon_days": horizon_days}
        for prediction, found in trials.items()
        for trial in found
        for row in _trial_rows(prediction, trial, tried[prediction], champions.get(prediction), coverages or {})
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _trial_rows(
    prediction: Prediction,
    trial: Trial,
    tried: Iterable[str],
    champion: str | None,
    coverages: Mapping[tuple[Prediction, dt.date, float], float | None],
) -> Iterator[dict[str, object]]:
    names = [*tried, *(EVENT_BASELINES if prediction == "no_order" else ())]
    for name in names:
        said = trial.predicted.get(name)
        is_baseline = name in BASELINES or name in EVENT_BASELINES
        described = {
            "model": name,
            "is_champion": name == champion,
            "status": "baseline" if is_baseline else "fitted" if said is not None else "not_fitted",
            "status_reason": None if said is not None else "no certified fit, or nothing to learn from, on this day",
        }
        scorers = _RANKING_SCORERS if name == RANKING else SCORERS[prediction]
        for row in _scored(trial.actual, said, scorers):
            yield described | {"segment_type": "all", "segment": "all"} | row
        if name == champion and said is not None:
            for (what, cutoff, level), covered in coverages.items():
                if (what, cutoff) == (prediction, trial.cutoff):
                    score = {"score": f"coverage_{level * 100:.0f}", "score_value": covered}
                    yield described | {"segment_type": "all", "segment": "all", "count_customers": said.size} | score
            for segment_type, segments in _segments(trial, said):
                for segment in np.unique(segments):
                    chosen = segments == segment
                    for row in _scored(trial.actual[chosen], said[chosen], SEGMENT_SCORERS):
                        yield described | {"segment_type": segment_type, "segment": str(segment)} | row


def _scored(actual: FloatArray, said: FloatArray | None, scorers: Mapping[str, Scorer]) -> Iterator[dict[str, object]]:
    for score, scorer in scorers.items():
        found = None if said is None else scorer(actual, said)
        yield {"count_customers": actual.size, "score": score, "score_value": found}


def _segments(trial: Trial, said: FloatArray) -> Iterator[tuple[str, npt.NDArray[np.str_]]]:
    """Tenths of the customers by prediction, the highest first, and months of first order; each of shape (n,)."""
    place = np.empty(said.size, dtype=np.int64)
    place[np.argsort(-said, kind="stable")] = np.arange(said.size)
    decile = place * COUNT_DECILES // max(said.size, 1) + 1
    yield "predicted_decile", np.char.zfill(decile.astype(np.str_), 2)
    yield "cohort_month", pd.to_datetime(trial.cohort_month).dt.strftime("%Y-%m").to_numpy(dtype=np.str_)
