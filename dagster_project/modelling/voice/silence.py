"""How answering hangs on the opinion itself, told by customers who gave their opinion before.

Belongs here: the log odds of answering per point of an earlier score, of one survey and of several that inform each
other. Does not belong here: weights (`nonresponse.py`).

Nobody can see what the silent would have said, but some of the silent once answered. If an opinion bears on answering
now as an earlier opinion of the same customer does, the slope of answering on the earlier score is that on the present
one: both are the same lasting attitude seen through one answer. That is an assumption, it is written beside the number,
and its error enters the interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.covariates import scaled
from dagster_project.modelling.voice.logistic import logistic

ASSUMPTION = (
    "An opinion is taken to bear on answering as the same customer's opinion before the invitation did; where it does "
    "not, or where nobody was asked before, weights cannot repair silence that hangs on the opinion."
)
POINTS = 10.0
"""Points of 100 that the slope is stated for."""


@dataclass(frozen=True)
class Silence:
    """The slope of answering on the opinion.

    Attributes:
        log_odds: of answering, per ten points of a score of 0 to 100.
        error: its standard error, robust to invitations of one customer being alike.
        count_invitations: that it rests on: those to customers with an earlier score.
    """

    log_odds: float
    error: float
    count_invitations: int


def silence_slope(
    panel: pd.DataFrame, facts: list[str], minimum_answers: int = 100, penalty: float = 1.0
) -> Silence | None:
    """Estimate the slope from invitations to customers who had answered before.

    Args:
        panel: one row per invitation that reached somebody and has had its time: customer_key, is_answered,
            earlier_score_0_100 (the last score the customer had given when it was sent; null without one), and facts.
        facts: columns known before the invitation.
        minimum_answers: answers, and silent ones, that the estimate needs.
        penalty: of the squared coefficients of the facts; the slope itself has none.

    Returns:
        The slope; None where too few had answered before.

    Raises:
        ValueError: a column is missing.
    """
    needed = ["customer_key", "is_answered", "earlier_score_0_100", *facts]
    missing = sorted(set(needed) - set(panel.columns))
    if missing:
        raise ValueError(f"the panel of invitations lacks {', '.join(missing)}; expected {', '.join(needed)}")
    known = panel[panel["earlier_score_0_100"].notna()]
    order = np.lexsort((known["earlier_score_0_100"].to_numpy(), known["customer_key"].astype("str").to_numpy("U")))
    known = known.iloc[order]
    happened = known["is_answered"].to_numpy(dtype=np.bool_)
    score = known["earlier_score_0_100"].to_numpy(dtype=np.float64)
    if min(happened.sum(), (~happened).sum()) < minimum_answers or np.ptp(score) == 0:
        return None
    covariates = scaled(known[facts], has_curves=True).values
    design = np.column_stack([np.ones(len(known)), (score - score.mean()) / POINTS, covariates])
    penalties = np.concatenate([[0.0, 0.0], np.full(covariates.shape[1], penalty)])
    clusters = pd.factorize(known["customer_key"])[0].astype(np.int64)
    fit = logistic(design, happened, penalties, clusters)
    return Silence(round(float(fit.coefficients[1]), 6), round(float(fit.errors[1]), 6), len(known))


def informed_by_each_other(slopes: Mapping[str, Silence | None]) -> dict[str, Silence | None]:
    """The slopes of a shop's surveys, each drawn to their mean as far as they do not differ beyond their errors.

    The same customers answer all surveys of a shop. How much slopes truly differ is the moment estimate of DerSimonian
    and Laird (1986); where it is zero all get the common slope, where it is large each keeps its own.

    Args:
        slopes: survey → its slope; null where it has none, which stays so: nothing tells how unlike the others it is.

    Returns:
        Survey → what its slope has become, with the error of that; the invitations are those of its own.
    """
    known = {survey: slope for survey, slope in slopes.items() if slope is not None}
    if len(known) < 2:
        return dict(slopes)
    own = np.array([slope.log_odds for slope in known.values()])
    variance = np.array([slope.error**2 for slope in known.values()])
    difference = _variance_between(own, variance)
    weight = 1 / (variance + difference)
    kept = difference / (variance + difference)
    log_odds = kept * own + (1 - kept) * np.average(own, weights=weight)
    error = np.sqrt(kept * variance + (1 - kept) ** 2 / weight.sum())
    drawn = {
        survey: replace(slope, log_odds=round(float(log_odds[row]), 6), error=round(float(error[row]), 6))
        for row, (survey, slope) in enumerate(known.items())
    }
    return {survey: drawn.get(survey) for survey in slopes}


def _variance_between(estimates: FloatArray, variances: FloatArray) -> float:
    """Of what estimates are of, by how much more they scatter than their errors (DerSimonian and Laird 1986)."""
    weight = 1 / variances
    scatter = float((weight * (estimates - np.average(estimates, weights=weight)) ** 2).sum())
    return max(0.0, (scatter - (len(estimates) - 1)) / float(weight.sum() - (weight**2).sum() / weight.sum()))
