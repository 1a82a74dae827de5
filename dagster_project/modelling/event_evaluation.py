"""Scores of chances and rankings of an event against whether it happened.

Belongs here: one pure function per score, on two arrays of equal length; when each is undefined says `scored_pairs.py`.
Scores of amounts: `evaluation.py`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.loss_terms import log_loss_terms
from dagster_project.modelling.scored_pairs import Score, mean_over_ties, scorable
from dagster_project.modelling.voice.logistic import logistic

_COUNT_CALIBRATION_BINS = 10


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


def auc_difference(happened: npt.ArrayLike, one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[float, float] | None:
    """How much better one ranking of the same customers is than another, and its standard error.

    The error is that of DeLong, DeLong and Clarke-Pearson (1988, "Comparing the areas under two or more correlated
    receiver operating characteristic curves"): the area is a mean of placements, each customer's share of those of the
    other kind that they rank rightly against, and the difference of two areas a mean of differences.

    Args:
        happened: outcomes, shape (n,), 0 or 1.
        one: any ranking, shape (n,), higher is likelier.
        other: the same of another.

    Returns:
        The areas' difference, one less other, and its standard error; None with fewer than two of a kind.

    Raises:
        ValueError: an outcome is neither 0 nor 1.
    """
    pairs = [_scorable_event(happened, ranking) for ranking in (one, other)]
    if pairs[0] is None or pairs[1] is None:
        return None
    has = pairs[0][0] == 1
    if min(has.sum(), (~has).sum()) < 2:
        return None
    moved = []
    for kind in (has, ~has):
        placed = [
            (rankdata(ranking)[kind] - rankdata(ranking[kind])) / (~kind).sum() for _, ranking in (pairs[0], pairs[1])
        ]
        moved.append(placed[0] - placed[1])
    error = np.sqrt(sum(float(part.var(ddof=1)) / part.size for part in moved))
    return float(moved[0].mean()), float(error)


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
    return float(mean_over_ties(*pair)[highest].mean() / pair[0].mean())


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
    gaps = (pair[1] - mean_over_ties(*pair))[order]
    bins = np.array_split(gaps, min(_COUNT_CALIBRATION_BINS, gaps.size))
    return float(sum(abs(gap.sum()) for gap in bins) / gaps.size)


def _scorable_event(
    happened: npt.ArrayLike, predicted: npt.ArrayLike, *, is_probability: bool = False
) -> tuple[FloatArray, FloatArray] | None:
    """As `scorable`, for outcomes that are 0 or 1."""
    pair = scorable(happened, predicted)
    if pair is None:
        return None
    if not np.isin(pair[0], (0.0, 1.0)).all():
        raise ValueError("an outcome is neither 0 nor 1; expected whether the event happened")
    if is_probability and (pair[1].min() < 0 or pair[1].max() > 1):
        raise ValueError(f"probabilities run from {pair[1].min()} to {pair[1].max()}; expected them within [0, 1]")
    return pair
