"""What a score would be if everybody who was asked had answered, as far as what the shop knows of them can tell.

Belongs here: the chance to answer, weights, the weighted score and what stays unknown. Does not belong here: who was
asked and what is known of them (the warehouse).

The chance to answer is a logistic regression on facts known before the invitation. Each answer stands for itself and
for some of the silent: as many as its chance says, fewer the better the score where the content are found to answer
more often (`silence.py`), trimmed, then raked so that the answers match the invited base in every fact (Deville and
Sarndal 1992). Throttled and bounced invitations are no silence: the base is what was delivered.

What weights cannot repair is said beside the score, and bounded: the score if all the silent were of one kind.
`representativity` says how unlike the chances are, the R-indicator of Schouten, Cobben and Bethlehem (2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from scipy.stats import t as student

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.covariates import Covariates, banded, scaled
from dagster_project.modelling.voice.logistic import logistic, squared
from dagster_project.modelling.voice.silence import POINTS, Silence

Bools: TypeAlias = npt.NDArray[np.bool_]
Margin: TypeAlias = tuple[npt.NDArray[np.int64], FloatArray]
Status: TypeAlias = Literal["weighted", "too_few_answers", "too_few_silent"]
REASONS: dict[Status, str | None] = {
    "weighted": None,
    "too_few_answers": "too few answers to learn from them who answers",
    "too_few_silent": "next to everybody answered, so there is nothing to weigh",
}
WEIGHTED_FIGURES = (
    "weighted_score",
    "ci_low",
    "ci_high",
    "weighted_score_by_facts",
    "effective_answers",
    "representativity",
    "silence_log_odds",
    "silence_log_odds_error",
)
_RAKING_ROUNDS, _LARGEST_GAP = 200, 1e-7
_SLOPE_STEP = 0.01  # of the slope, over which the score's own slope is taken
_NO_SILENCE = Silence(0.0, 0.0, 0)


@dataclass(frozen=True)
class NonresponseSettings:
    """How silence is weighed.

    Attributes:
        minimum_answers: below it there are no weights.
        trimmed_above: quantile of the answers' weights at which larger ones are cut.
        count_bands: of each fact that the base is matched in.
        minimum_band_answers: bands with fewer answers are joined to their neighbour.
        penalty: of the squared coefficients, on covariates of standard deviation 1.
    """

    minimum_answers: int = 100
    trimmed_above: float = 0.99
    count_bands: int = 4
    minimum_band_answers: int = 20
    penalty: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be weighed."""
        if self.minimum_answers < 2 or not 0.5 < self.trimmed_above <= 1 or self.penalty <= 0:
            raise ValueError(
                f"minimum_answers {self.minimum_answers}, trimmed_above {self.trimmed_above}, penalty {self.penalty}; "
                "expected at least 2, above a half to 1, and above 0"
            )


@dataclass(frozen=True)
class WeighedScore:
    """A score of a base with its weights.

    Attributes:
        weights: one row per answer: unit_key, probability_to_answer, weight (mean 1 over the answers).
        figures: column → value of the summary; see `weigh`.
    """

    weights: pd.DataFrame
    figures: dict[str, object]


def weigh(
    invited: pd.DataFrame,
    facts: list[str],
    settings: NonresponseSettings | None = None,
    silence: Silence | None = None,
) -> WeighedScore:
    """Weigh the answers of one survey and period.

    Args:
        invited: one row per unit that an invitation reached: unit_key, is_answered, score_0_100 and net_score (100
            promoter or satisfied, 0 between, -100 detractor or dissatisfied; both null without an answer), total_net
            (what the unit had spent before it was asked), and the facts.
        facts: columns known before the invitation: numbers, truth values or texts; nulls allowed.
        settings: trimming, bands, gates.
        silence: how answering hangs on the opinion; not at all where it is not known.

    Returns:
        Weights, and figures: count_invited, count_answers, response_rate, raw_score, weighted_score, ci_low, ci_high
        (95 %, of the mean score of the whole base), weighted_score_by_facts (as if silence did not hang on the
        opinion), effective_answers (Kish), revenue_coverage_share, representativity (1 = all chances alike),
        silence_log_odds and silence_log_odds_error (null where it is not known), score_if_silent_detractors,
        score_if_silent_promoters, status, status_reason. Without weights the weighted figures are null.

    Raises:
        ValueError: a column is missing, an answer has no score, or a unit stands twice.
    """
    settings = settings or NonresponseSettings()
    rows = _checked(invited, facts)
    is_answered = rows["is_answered"].to_numpy(dtype=np.bool_)
    answers = rows[is_answered]
    net = answers["net_score"].to_numpy(dtype=np.float64, na_value=np.nan)
    figures = _plain_figures(rows, is_answered, net)
    status = _status(is_answered, settings)
    figures |= {"status": status, "status_reason": REASONS[status]}
    if status != "weighted":
        return WeighedScore(_weight_rows(answers[:0], np.zeros(0), np.zeros(0)), figures)
    covariates = scaled(rows[facts], has_curves=True)
    chance = _chances(covariates, is_answered, settings.penalty)
    margins = _margins(rows[facts], is_answered, settings)
    points = answers["score_0_100"].to_numpy(dtype=np.float64, na_value=np.nan) / POINTS

    def weights_at(log_odds: float) -> FloatArray:
        return _weights(chance[is_answered], points, log_odds, margins, settings)

    found = silence or _NO_SILENCE
    weight = weights_at(found.log_odds)
    mean = _mean(net, weight)
    slope = (_mean(net, weights_at(found.log_odds + _SLOPE_STEP)) - mean) / _SLOPE_STEP
    variance = _variance(net, weight, covariates.values[is_answered]) + (slope * found.error) ** 2
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    half_width = float(student.ppf(0.975, max(effective - 1, 1))) * float(np.sqrt(variance))
    figures |= {
        "weighted_score": round(mean, 6),
        "ci_low": round(max(mean - half_width, -100.0), 6),
        "ci_high": round(min(mean + half_width, 100.0), 6),
        "weighted_score_by_facts": round(_mean(net, weights_at(0.0)), 6),
        "effective_answers": round(effective, 6),
        "representativity": round(float(1 - 2 * chance.std()), 6),
        "silence_log_odds": silence.log_odds if silence else None,
        "silence_log_odds_error": silence.error if silence else None,
    }
    return WeighedScore(_weight_rows(answers, chance[is_answered], weight), figures)


def _checked(invited: pd.DataFrame, facts: list[str]) -> pd.DataFrame:
    needed = ["unit_key", "is_answered", "score_0_100", "net_score", "total_net", *facts]
    missing = sorted(set(needed) - set(invited.columns))
    if missing:
        raise ValueError(f"the invited base lacks {', '.join(missing)}; expected {', '.join(needed)}")
    if invited["unit_key"].duplicated().any():
        raise ValueError("a unit stands twice in the invited base; expected one row per customer and period")
    if invited.loc[invited["is_answered"].astype("bool"), ["net_score", "score_0_100"]].isna().any(axis=None):
        raise ValueError("an answer has no score; expected score_0_100 and net_score for each")
    return invited.sort_values("unit_key", kind="stable", ignore_index=True)


def _status(is_answered: Bools, settings: NonresponseSettings) -> Status:
    answers, silent = int(is_answered.sum()), int((~is_answered).sum())
    if answers < settings.minimum_answers:
        return "too_few_answers"
    return "weighted" if silent >= settings.minimum_band_answers else "too_few_silent"


def _plain_figures(rows: pd.DataFrame, is_answered: Bools, net: FloatArray) -> dict[str, object]:
    """What needs no weights: counts, the raw score, and the bounds."""
    count, answers, total = len(rows), int(is_answered.sum()), float(net.sum())
    spent = rows["total_net"].to_numpy(dtype=np.float64, na_value=0.0)
    return dict.fromkeys(WEIGHTED_FIGURES) | {
        "count_invited": count,
        "count_answers": answers,
        "response_rate": answers / count if count else None,
        "raw_score": total / answers if answers else None,
        "revenue_coverage_share": float(spent[is_answered].sum() / spent.sum()) if spent.sum() > 0 else None,
        "score_if_silent_detractors": (total - 100.0 * (count - answers)) / count if count else None,
        "score_if_silent_promoters": (total + 100.0 * (count - answers)) / count if count else None,
    }


def _weight_rows(answers: pd.DataFrame, chance: FloatArray, weight: FloatArray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_key": answers["unit_key"].astype("str").reset_index(drop=True),
            "probability_to_answer": np.round(chance, 6),
            "weight": np.round(weight / weight.mean(), 6) if len(weight) else weight,
        }
    )


def _chances(covariates: Covariates, is_answered: Bools, penalty: float) -> FloatArray:
    design = np.column_stack([np.ones(len(is_answered)), covariates.values])
    penalties = np.append(0.0, np.full(covariates.values.shape[1], penalty))
    return expit(logistic(design, is_answered, penalties).log_odds)


def _weights(
    chance: FloatArray, points: FloatArray, log_odds: float, margins: list[Margin], settings: NonresponseSettings
) -> FloatArray:
    """How many of the base each answer stands for: itself, and silent ones tilted by the opinion.

    The odds of silence at equal facts are those of the chance times exp(-slope x score) (Scharfstein, Rotnitzky and
    Robins 1999), kept so that the silent are as many.
    """
    silent = 1 / chance - 1
    tilt = np.exp(-log_odds * (points - points.mean()))
    tilted = 1 + silent * tilt * silent.sum() / (silent * tilt).sum()
    trimmed = np.minimum(tilted, np.quantile(tilted, settings.trimmed_above, method="higher"))
    return _raked(trimmed, margins)


def _margins(facts: pd.DataFrame, is_answered: Bools, settings: NonresponseSettings) -> list[Margin]:
    """Per fact, the answers' bands and how many of the base are in each band; the whole base is the first."""
    margins = [(np.zeros(int(is_answered.sum()), dtype=np.int64), np.array([float(len(facts))]))]
    for fact in facts.columns:
        band = _joined(banded(facts[fact], settings.count_bands), is_answered, settings.minimum_band_answers)
        margins.append((band[is_answered], np.bincount(band).astype(np.float64)))
    return margins


def _raked(weight: FloatArray, margins: list[Margin]) -> FloatArray:
    """Weights whose sums agree with every margin (iterative proportional fitting)."""
    for _ in range(_RAKING_ROUNDS):
        gap = 0.0
        for band, goal in margins:
            found = np.bincount(band, weight, minlength=len(goal))
            gap = max(gap, float(np.abs(found / goal - 1).max()))
            weight = weight * (goal / found)[band]
        if gap < _LARGEST_GAP:
            break
    return weight


def _joined(band: npt.NDArray[np.int64], is_answered: Bools, minimum: int) -> npt.NDArray[np.int64]:
    """Bands with too few answers joined to the next, numbered from 0 without holes."""
    answers = np.bincount(band, is_answered)
    place, waiting, current = np.zeros(len(answers), dtype=np.int64), 0.0, 0
    for number, found in enumerate(answers):
        place[number] = current
        waiting += found
        if waiting >= minimum:
            current, waiting = current + 1, 0.0
    place = np.minimum(place, max(current - 1, 0))  # what is left over goes to the last band that is full
    return np.unique(place[band], return_inverse=True)[1].astype(np.int64)


def _mean(score: FloatArray, weight: FloatArray) -> float:
    return float((weight * score).sum() / weight.sum())


def _variance(score: FloatArray, weight: FloatArray, covariates: FloatArray) -> float:
    """Variance of the weighted mean about the mean of the base.

    The base is finite and its answers are known, so only the silent are uncertain: the sum of w (w - 1) e^2 over the
    squared count, with e what a weighted regression on the facts leaves of the score (Sarndal and Lundstrom 2005).
    """
    design = np.column_stack([np.ones(len(score)), covariates])
    explained = np.einsum("ij,i->j", design, weight * score)
    coefficients = np.linalg.solve(squared(design, weight) + np.eye(design.shape[1]), explained)
    left = score - np.einsum("ij,j->i", design, coefficients)
    freedom = max(len(score) - design.shape[1], 2)
    terms = weight * np.maximum(weight - 1, 0) * left**2
    return float(terms.sum()) / float(weight.sum()) ** 2 * len(score) / freedom
