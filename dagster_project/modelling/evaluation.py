"""Scores of predictions against outcomes.

Belongs here: one pure function per score, on two arrays of equal length. What is predicted, for whom and beside which
baselines is decided in `backtest.py`.

Every score is `None` where it is undefined (nobody to score, one class only, nothing bought at all), and also where
any prediction is missing: a score over the part that was easy to predict would flatter. Tied predictions share their
outcome equally, so no score depends on the order of the rows.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy
from scipy.stats import rankdata

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.logistic import logistic

Score: TypeAlias = float | None


_PROBABILITY_FLOOR = 1e-15
_SMALLEST_EXPECTATION = 1e-6
_COUNT_CALIBRATION_BINS = 10


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


def poisson_deviance(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean Poisson deviance of counts; see `poisson_deviance_terms`.

    Args:
        actual: outcomes, shape (n,), at least 0.
        predicted: predictions, shape (n,).

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = _scorable(actual, predicted)
    return None if pair is None else float(poisson_deviance_terms(*pair).mean())


def tweedie_deviance(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean Tweedie deviance of amounts, in the root of the currency; see `tweedie_deviance_terms`.

    Args:
        actual: outcomes, shape (n,), at least 0.
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = _scorable(actual, predicted)
    return None if pair is None else float(tweedie_deviance_terms(*pair).mean())


def mean_actual(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean outcome, beside the mean prediction of the same customers.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,); only looked at for missing ones.

    Returns:
        The mean; None where undefined.
    """
    pair = _scorable(actual, predicted)
    return None if pair is None else float(pair[0].mean())


def mean_predicted(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean prediction, beside the mean outcome of the same customers.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,).

    Returns:
        The mean; None where undefined.
    """
    pair = _scorable(actual, predicted)
    return None if pair is None else float(pair[1].mean())


def rmse(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Root of the mean squared error, in the unit of the outcome.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = _scorable(actual, predicted)
    return None if pair is None else float(np.sqrt(np.mean((pair[1] - pair[0]) ** 2)))


def mae(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Mean absolute error; on rare events the all-zero prediction wins it, so never show it without that row.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score, at least 0; None where undefined.
    """
    pair = _scorable(actual, predicted)
    return None if pair is None else float(np.mean(np.abs(pair[1] - pair[0])))


def total_bias(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Predicted total over actual total, minus 1: +0.10 is ten per cent too much.

    Args:
        actual: outcomes, shape (n,).
        predicted: predictions, shape (n,), same unit.

    Returns:
        The score; None where undefined, among them an actual total of 0.
    """
    pair = _scorable(actual, predicted)
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
    pair = _scorable(actual, predicted)
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
    pair = _scorable(actual, predicted)
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
    pair = _scorable(actual, predicted)
    if pair is None or pair[0].sum() <= 0:
        return None
    order = np.argsort(-pair[1], kind="stable")
    shared = _mean_over_ties(pair[0], pair[1])[order]
    return float(shared[: -(-shared.size // 10)].sum() / pair[0].sum())


def roc_auc(happened: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """Probability that one for whom it happened ranks above one for whom it did not, ties counting half.

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        predicted: any ranking, shape (n,), higher is likelier.

    Returns:
        The score in [0, 1]; None where one of the classes is empty.

    Raises:
        ValueError: an outcome is neither 0 nor 1.
    """
    pair = _scorable_event(happened, predicted)
    if pair is None:
        return None
    count_positive = int(pair[0].sum())
    count_negative = pair[0].size - count_positive
    if count_positive == 0 or count_negative == 0:
        return None
    rank_sum = float(rankdata(pair[1])[pair[0] == 1].sum())
    return (rank_sum - count_positive * (count_positive + 1) / 2) / (count_positive * count_negative)


def brier(happened: npt.ArrayLike, probability: npt.ArrayLike) -> Score:
    """Mean squared error of a probability (Brier 1950).

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        probability: predictions, shape (n,), in [0, 1].

    Returns:
        The score in [0, 1]; None where undefined.

    Raises:
        ValueError: an outcome is neither 0 nor 1, or a probability is outside [0, 1].
    """
    pair = _scorable_event(happened, probability, is_probability=True)
    return None if pair is None else float(np.mean((pair[1] - pair[0]) ** 2))


def log_loss(happened: npt.ArrayLike, probability: npt.ArrayLike) -> Score:
    """Mean negative log-likelihood of the outcomes, in nats; probabilities are kept 1e-15 off 0 and 1.

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        probability: predictions, shape (n,), in [0, 1].

    Returns:
        The score, at least 0; None where undefined.

    Raises:
        ValueError: an outcome is neither 0 nor 1, or a probability is outside [0, 1].
    """
    pair = _scorable_event(happened, probability, is_probability=True)
    if pair is None:
        return None
    return float(log_loss_terms(*pair).mean())


def calibration_slope(happened: npt.ArrayLike, probability: npt.ArrayLike) -> Score:
    """Slope of the outcome's log odds on the predicted ones (Cox 1958): below 1 the predictions were too bold.

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        probability: predictions, shape (n,), in [0, 1]; kept 1e-9 off 0 and 1.

    Returns:
        The slope; None where undefined, among them one outcome only or one prediction for all.

    Raises:
        ValueError: an outcome is neither 0 nor 1, or a probability is outside [0, 1].
    """
    pair = _scorable_event(happened, probability, is_probability=True)
    if pair is None or not 0 < pair[0].mean() < 1 or np.ptp(pair[1]) == 0:
        return None
    kept = np.clip(pair[1], 1e-9, 1 - 1e-9)
    design = np.stack([np.ones(kept.size), np.log(kept) - np.log1p(-kept)], axis=1)
    return float(logistic(design, pair[0] > 0, np.zeros(2)).coefficients[1])


def top_decile_lift(happened: npt.ArrayLike, predicted: npt.ArrayLike) -> Score:
    """How many times more often it happened to the tenth with the highest predictions than to all.

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        predicted: predictions, shape (n,), any unit; ties share their outcome.

    Returns:
        The lift, 1 for a ranking of no use; None where undefined, among them where it happened to nobody.

    Raises:
        ValueError: an outcome is neither 0 nor 1.
    """
    pair = _scorable_event(happened, predicted)
    if pair is None or pair[0].sum() == 0:
        return None
    highest = np.argsort(-pair[1], kind="stable")[: max(1, pair[0].size // 10)]
    return float(_mean_over_ties(*pair)[highest].mean() / pair[0].mean())


def calibration_error(happened: npt.ArrayLike, probability: npt.ArrayLike) -> Score:
    """Mean gap between probability and observed share, over ten bins of equal count (expected calibration error).

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        probability: predictions, shape (n,), in [0, 1]; fewer than ten rows make one bin each.

    Returns:
        The score in [0, 1]; None where undefined.

    Raises:
        ValueError: an outcome is neither 0 nor 1, or a probability is outside [0, 1].
    """
    pair = _scorable_event(happened, probability, is_probability=True)
    if pair is None:
        return None
    order = np.argsort(pair[1], kind="stable")
    gaps = (pair[1] - _mean_over_ties(*pair))[order]
    bins = np.array_split(gaps, min(_COUNT_CALIBRATION_BINS, gaps.size))
    return float(sum(abs(gap.sum()) for gap in bins) / gaps.size)


def _scorable(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[FloatArray, FloatArray] | None:
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


def _scorable_event(
    happened: npt.ArrayLike, predicted: npt.ArrayLike, *, is_probability: bool = False
) -> tuple[FloatArray, FloatArray] | None:
    """As `_scorable`, for outcomes that are 0 or 1."""
    pair = _scorable(happened, predicted)
    if pair is None:
        return None
    if not np.isin(pair[0], (0.0, 1.0)).all():
        raise ValueError("an outcome is neither 0 nor 1; expected whether the event happened")
    if is_probability and (pair[1].min() < 0 or pair[1].max() > 1):
        raise ValueError(f"probabilities run from {pair[1].min()} to {pair[1].max()}; expected them within [0, 1]")
    return pair


def _mean_over_ties(outcomes: FloatArray, predictions: FloatArray) -> FloatArray:
    """Each outcome replaced by the mean outcome of the rows with the same prediction."""
    _, group, count = np.unique(predictions, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(group, weights=outcomes) / count)[group], dtype=np.float64)
