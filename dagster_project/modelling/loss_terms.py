"""What each customer's prediction costs: one loss, one array, before any mean is taken.

Belongs here: the losses that candidates are compared by (`selection.py`) and scores are means of (`evaluation.py`,
`event_evaluation.py`).
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from dagster_project.modelling.histories import FloatArray

_PROBABILITY_FLOOR = 1e-15
_SMALLEST_EXPECTATION = 1e-6


def squared_error_terms(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Squared error of each customer, shape (n,).

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), same unit.
    """
    return np.asarray((predicted - actual) ** 2, dtype=np.float64)


def poisson_deviance_terms(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Poisson deviance of each customer, 2 (y log(y/m) - y + m), shape (n,).

    Args:
        actual: counts y, shape (n,), at least 0.
        predicted: expected counts m, shape (n,); kept above 1e-6, for which a count of 1 costs 26.
    """
    kept = np.maximum(predicted, _SMALLEST_EXPECTATION)
    return np.asarray(2 * (xlogy(actual, actual / kept) - actual + kept), dtype=np.float64)


def tweedie_deviance_terms(actual: FloatArray, predicted: FloatArray) -> FloatArray:
    """Tweedie deviance with power 1.5 of each customer, 4 (sqrt(y) - sqrt(m))^2 / sqrt(m), shape (n,).

    The power lies between a count (1) and one amount (2): a sum of a random number of amounts (Jorgensen 1987). At 1.5
    the general form 2 (y^(2-p)/((1-p)(2-p)) - y m^(1-p)/(1-p) + m^(2-p)/(2-p)) becomes this square.

    Args:
        actual: amounts y, shape (n,), at least 0.
        predicted: expected amounts m, shape (n,), same unit; kept above 1e-6.
    """
    kept = np.maximum(predicted, _SMALLEST_EXPECTATION)
    return np.asarray(4 * (np.sqrt(actual) - np.sqrt(kept)) ** 2 / np.sqrt(kept), dtype=np.float64)


def log_loss_terms(happened: FloatArray, probability: FloatArray) -> FloatArray:
    """Negative log-likelihood of each outcome in nats, shape (n,).

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        probability: predictions, shape (n,), in [0, 1]; kept 1e-15 off 0 and 1.
    """
    kept = np.clip(probability, _PROBABILITY_FLOOR, 1 - _PROBABILITY_FLOOR)
    return np.asarray(-np.where(happened == 1, np.log(kept), np.log1p(-kept)), dtype=np.float64)
