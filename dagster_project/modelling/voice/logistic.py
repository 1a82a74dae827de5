"""Logistic regression with a quadratic penalty, small and the same to the last bit.

Belongs here: the fit and its errors. Sums run over rows in NumPy's own loops, not in a BLAS, whose last digits may
differ from call to call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from dagster_project.modelling.histories import FloatArray

_NEWTON_STEPS, _SMALLEST_STEP = 100, 1e-10
_LARGEST_STEP = 5.0  # in log odds: keeps Newton's method on its way where the classes nearly part
_FREE = 1e-9


@dataclass(frozen=True)
class LogisticFit:
    """A fit.

    Attributes:
        coefficients: in log odds, shape (columns,).
        log_odds: of each row, shape (rows,).
        errors: standard errors, robust to rows of one cluster being alike, shape (columns,).
    """

    coefficients: FloatArray
    log_odds: FloatArray
    errors: FloatArray


def logistic(
    design: FloatArray,
    happened: npt.NDArray[np.bool_],
    penalties: FloatArray,
    clusters: npt.NDArray[np.int64] | None = None,
) -> LogisticFit:
    """Fit log odds linear in a design, by Newton's method.

    Args:
        design: shape (rows, columns), the intercept included.
        happened: shape (rows,); both outcomes must occur.
        penalties: of each squared coefficient, halved; at least 0. Give none to the intercept.
        clusters: numbers from 0 of what the rows belong to; each row by itself where absent.

    Raises:
        ValueError: one outcome only.
    """
    if happened.all() or not happened.any():
        raise ValueError(f"all {len(happened)} outcomes are alike; expected both kinds to tell apart")
    ridge = np.maximum(penalties, _FREE)
    coefficients = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        gap, curve = _terms(design, happened, ridge, coefficients)
        slope = np.einsum("ij,i->j", design, gap) - ridge * coefficients
        step = np.linalg.solve(curve, slope)
        coefficients = coefficients + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    gap, curve = _terms(design, happened, ridge, coefficients)
    scores = design * gap[:, None]
    if clusters is not None:
        scores = np.column_stack([np.bincount(clusters, column) for column in scores.T])
    bread = np.linalg.inv(curve)
    errors = np.sqrt(np.diag(bread @ squared(scores, np.ones(len(scores))) @ bread))
    return LogisticFit(coefficients, np.einsum("ij,j->i", design, coefficients), errors)


def squared(design: FloatArray, weights: FloatArray) -> FloatArray:
    """X' W X, shape (columns, columns).

    Args:
        design: X, shape (rows, columns).
        weights: the diagonal of W, shape (rows,).
    """
    weighted = np.ascontiguousarray((design * weights[:, None]).T)
    return np.einsum("ji,ki->jk", weighted, np.ascontiguousarray(design.T))


def _terms(
    design: FloatArray, happened: npt.NDArray[np.bool_], ridge: FloatArray, coefficients: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What the chances leave over per row, and the curvature of the penalised likelihood."""
    chance = expit(np.einsum("ij,j->i", design, coefficients))
    return happened - chance, squared(design, chance * (1 - chance)) + np.diag(ridge)
