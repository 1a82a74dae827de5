"""Outcomes and predictions of the same customers, checked before they are scored.

Belongs here: when a score is undefined, and how ties share their outcome. The scores: `evaluation.py`,
`event_evaluation.py`.

Every score is `None` where it is undefined (nobody to score, one class only, nothing bought at all), and also where
any prediction is missing: a score over the part that was easy to predict would flatter. Tied predictions share their
outcome equally, so no score depends on the order of the rows.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray

Score: TypeAlias = float | None


def scorable(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[FloatArray, FloatArray] | None:
    """Both sides as floats, or None where there is nobody to score or a prediction is missing."""
    outcomes, predictions = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if outcomes.ndim != 1 or outcomes.shape != predictions.shape:
        raise ValueError(
            f"outcomes have shape {outcomes.shape} and predictions {predictions.shape}; "
            "expected two vectors of one length: join them by customer first"
        )
    if np.isnan(outcomes).any():
        raise ValueError("an outcome is missing; a customer who bought nothing has the outcome 0")
    if outcomes.size == 0 or np.isnan(predictions).any():
        return None
    return outcomes, predictions


def mean_over_ties(outcomes: FloatArray, predictions: FloatArray) -> FloatArray:
    """Each outcome replaced by the mean outcome of the rows with the same prediction."""
    _, group, count = np.unique(predictions, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(group, weights=outcomes) / count)[group], dtype=np.float64)
