"""Scores of predicted amounts and counts against what followed.

Belongs here: one pure function per score, on two arrays of equal length; when each is undefined says `scored_pairs.py`.
Scores of events: `event_evaluation.py`. What is predicted, for whom and beside which baselines: `backtest.py`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from dagster_project.modelling.loss_terms import poisson_deviance_terms, tweedie_deviance_terms
from dagster_project.modelling.scored_pairs import Score, mean_over_ties, scorable


def poisson_deviance(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean Poisson deviance of counts; see `poisson_deviance_terms`.

    Args:
        actual: outcomes, shape (n,), at least 0.
        predicted: predictions, shape (n,).

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = scorable(actual, predicted)
    return None if pair is None else float(poisson_deviance_terms(*pair).mean())


def tweedie_deviance(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean Tweedie deviance of amounts, in the root of the currency; see `tweedie_deviance_terms`.

    Args:
        actual: outcomes, shape (n,), at least 0.
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = scorable(actual, predicted)
    return None if pair is None else float(tweedie_deviance_terms(*pair).mean())


def mean_actual(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean outcome, beside the mean prediction of the same customers.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,); only looked at for missing ones.

    Returns:
        The mean; None where undefined.
    """
    pair = scorable(actual, predicted)
    return None if pair is None else float(pair[0].mean())


def mean_predicted(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean prediction, beside the mean outcome of the same customers.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,).

    Returns:
        The mean; None where undefined.
    """
    pair = scorable(actual, predicted)
    return None if pair is None else float(pair[1].mean())


def rmse(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Root of the mean squared error, in the unit of the outcome.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = scorable(actual, predicted)
    return None if pair is None else float(np.sqrt(np.mean((pair[1] - pair[0]) ** 2)))


def mae(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean absolute error; on rare events the all-zero prediction wins it, so never show it without that row.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = scorable(actual, predicted)
    return None if pair is None else float(np.mean(np.abs(pair[1] - pair[0])))


def total_bias(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Predicted total over actual total, minus 1: +0.10 is ten per cent too much.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score; None where undefined, among them an actual total of 0.
    """
    pair = scorable(actual, predicted)
    if pair is None or pair[0].sum() == 0:
        return None
    return float(pair[1].sum() / pair[0].sum() - 1)


def spearman(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Rank correlation of outcomes and predictions, ties at their mean rank.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), any unit.

    Returns:
        The score in [-1, 1]; None where either side is constant.
    """
    pair = scorable(actual, predicted)
    if pair is None:
        return None
    ranks_actual, ranks_predicted = rankdata(pair[0]), rankdata(pair[1])
    if np.ptp(ranks_actual) == 0 or np.ptp(ranks_predicted) == 0:
        return None
    return float(np.clip(np.corrcoef(ranks_actual, ranks_predicted)[0, 1], -1.0, 1.0))


def normalised_gini(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Concentration of the outcome along the predicted ranking, over that along the perfect ranking.

    Both are covariances of the outcome with a (mean) rank, the form of the Gini coefficient in Lerman and Yitzhaki
    (1984), equation 2; their common factors cancel.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), any unit.

    Returns:
        1 for the perfect ranking, 0 for a constant one, -1 for the reverse; None where all outcomes are equal.
    """
    pair = scorable(actual, predicted)
    if pair is None:
        return None
    centred = pair[0] - pair[0].mean()
    mean_rank = (centred.size + 1) / 2
    perfect = float(centred @ (rankdata(pair[0]) - mean_rank))
    return None if perfect <= 0 else float(centred @ (rankdata(pair[1]) - mean_rank)) / perfect


def top_decile_capture(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Share of the whole outcome that the tenth with the highest predictions holds.

    The tenth is rounded up to whole customers; those tied at its edge enter with equal shares of themselves.

    Args:
        actual: outcomes, shape (n,), with a positive sum.
        predicted: predictions, shape (n,), any unit.

    Returns:
        The share; None where the outcomes do not sum to more than 0.
    """
    pair = scorable(actual, predicted)
    if pair is None or pair[0].sum() <= 0:
        return None
    order = np.argsort(-pair[1], kind="stable")
    shared = mean_over_ties(pair[0], pair[1])[order]
    return float(shared[: -(-shared.size // 10)].sum() / pair[0].sum())
