"""Whether a text is content or not, learnt from the shop's own rated feedback.

Belongs here: the model, its training and its use. Does not belong here: counting n-grams (`ngrams.py`), judging the
model (`sentiment_scores.py`).

TF-IDF of n-grams and a logistic regression. The texts are split into parts by a hash of the text, one model is learnt
without each part, and every text, rated or not, is read by the model that has learnt from no copy of it. So what is
published of a rated text is no recollection of its rating, and the hold-out figures are those of the published numbers.
The probability is that of a good rating among rated texts. The tone is what the text itself says: the same odds with
good and bad ratings taken to be equally common, because a complaint is no likelier to be friendly for the praise that
fills the reviews. Below a number of rated texts in a language its texts are not read at all: a status says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.ngrams import NgramSettings, counts, normalised, text_hashes

Status: TypeAlias = Literal["read", "too_little_rated_text", "no_better_than_chance", "nothing_known_in_text"]
REASONS: dict[Status, str | None] = {
    "read": None,
    "too_little_rated_text": "too few good and bad rated texts in this language to learn from",
    "no_better_than_chance": "the hold-out did not tell good from bad rated texts in this language",
    "nothing_known_in_text": "no word or n-gram of the text occurs in the rated texts",
}
UNKNOWN_LANGUAGE = "und"
_BATCH = 20_000  # texts counted at once
_RARE_BELOW = 3  # texts that must hold a feature; of 2, Olist's and the Chinese hold-outs gained nothing
_PENALTY = 4.0  # hold-out AUC of 1, 4 and 10: Olist .9786, .9807, .9809; Chinese shopping .9750, .9774, .9778
_TOLERANCE = 1e-2  # of the solver; 1e-4 moved no hold-out figure in its fourth decimal


@dataclass(frozen=True)
class SentimentSettings:
    """How sentiment is learnt and told.

    Attributes:
        minimum_rated_texts: good ones, and bad ones, that a language needs.
        maximum_rated_texts: that are learnt from, chosen by a hash of the text; bounds memory and time.
        parts: models learnt, each without one part of the texts; at least 2.
        negative_below: balanced probability of being positive, below which a text is called negative.
        positive_above: the same for positive; between them it is neutral.
        ngrams: what is counted.
    """

    minimum_rated_texts: int = 100
    maximum_rated_texts: int = 100_000
    parts: int = 5
    negative_below: float = 0.35
    positive_above: float = 0.65
    ngrams: NgramSettings = field(default_factory=NgramSettings)

    def __post_init__(self) -> None:
        """Refuse what cannot be learnt or told."""
        if self.minimum_rated_texts < 2 * self.parts or self.parts < 2:
            raise ValueError(
                f"minimum_rated_texts {self.minimum_rated_texts} and parts {self.parts}; expected at least 2 parts and "
                "twice as many rated texts as parts"
            )
        if not 0 <= self.negative_below <= self.positive_above <= 1:
            raise ValueError(
                f"negative_below {self.negative_below} and positive_above {self.positive_above}; "
                "expected both in 0 to 1, in this order"
            )


@dataclass(frozen=True)
class SentimentModel:
    """What was learnt.

    Attributes:
        settings: how.
        rarity: inverse document frequency per feature; 0 where a feature is too rare to count.
        weights: per part and feature.
        intercepts: per part.
        slope: of the calibration, log odds per unit of a model's own scale.
        offset: of the calibration, in log odds.
        base_log_odds: of a good rating among the rated texts.
        statuses: by language, of those that have rated texts; others have too few.
        holdout: one row per rated text that was learnt from: text_key, language, is_positive, probability_positive,
            balanced_probability.
    """

    settings: SentimentSettings
    rarity: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float64]
    intercepts: FloatArray
    slope: float
    offset: float
    base_log_odds: float
    statuses: dict[str, Status]
    holdout: pd.DataFrame

    def read(self, texts: pd.DataFrame) -> pd.DataFrame:
        """The sentiment of texts, one row each in the same order.

        Args:
            texts: text_key, text, language (null where it is not known).

        Returns:
            text_key, language, probability_positive (0 to 1: of a good rating beside the text, calibrated; null unless
            read), sentiment_score (-1 to 1: twice the balanced probability, less one), tone (`negative`, `neutral`,
            `positive`), status, status_reason.
        """
        words, language = normalised(texts["text"].fillna("")), _languages(texts)
        scale, is_known = self._scale(words)
        log_odds = self.slope * scale + self.offset
        probability, balanced = np.round(expit(log_odds), 6), np.round(expit(log_odds - self.base_log_odds), 6)
        status = np.array([self.statuses.get(name, "too_little_rated_text") for name in language], dtype=object)
        status[(status == "read") & ~is_known] = "nothing_known_in_text"
        probability[status != "read"] = balanced[status != "read"] = np.nan
        low, high = self.settings.negative_below, self.settings.positive_above
        tone = np.select([balanced < low, balanced > high], ["negative", "positive"], "neutral")
        return pd.DataFrame(
            {
                "text_key": texts["text_key"].astype("str").to_numpy(),
                "language": pd.Series(language, dtype="str"),
                "probability_positive": probability,
                "sentiment_score": np.round(2 * balanced - 1, 6),
                "tone": pd.Series(tone, dtype="str").where(~np.isnan(probability)),
                "status": pd.Series(status, dtype="str"),
                "status_reason": pd.Series([REASONS[found] for found in status], dtype="str"),
            }
        )

    def _scale(self, words: list[str]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """What the model that read no copy of a text says of it; and whether it knows anything in it."""
        scale, is_known = np.zeros(len(words)), np.zeros(len(words), dtype=np.bool_)
        for start in range(0, len(words), _BATCH):
            batch = words[start : start + _BATCH]
            weighted = _weighted(counts(batch, self.settings.ngrams), self.rarity)
            part = _parts(batch, self.settings.parts)
            rows = slice(start, start + len(batch))
            is_known[rows] = np.diff(weighted.indptr) > 0
            for number in range(self.settings.parts):
                own = np.flatnonzero(part == number)
                scale[start + own] = weighted[own] @ self.weights[number] + self.intercepts[number]
        return scale, is_known


def fit_sentiment(rated: pd.DataFrame, settings: SentimentSettings | None = None) -> SentimentModel:
    """Learn sentiment from rated texts; the order of the rows does not matter.

    Args:
        rated: text_key, text, language (may be null), is_positive (boolean; null for a rating in the middle, which
            nothing is learnt from).
        settings: how it is learnt.

    Returns:
        A model; where no language has enough rated texts, one that reads nothing and says so.

    Raises:
        ValueError: a column is missing.
    """
    settings = settings or SentimentSettings()
    missing = {"text_key", "text", "language", "is_positive"} - set(rated.columns)
    if missing:
        raise ValueError(
            f"rated texts lack {', '.join(sorted(missing))}; expected text_key, text, language, is_positive"
        )
    words, chosen = _learnt_from(rated, settings)
    happy, language = chosen["is_positive"].to_numpy(dtype=np.bool_), _languages(chosen)
    statuses = _enough(language, happy, settings.minimum_rated_texts)
    if "read" not in statuses.values():
        return _nothing_learnt(settings, statuses)
    counted = sparse.vstack(
        [counts(words[start : start + _BATCH], settings.ngrams) for start in range(0, len(words), _BATCH)], format="csr"
    )
    rarity = _rarity(counted)
    features, part = np.flatnonzero(rarity), _parts(words, settings.parts)
    weighted = _weighted(counted[:, features], rarity[features])
    weights = np.zeros((settings.parts, settings.ngrams.count_features))
    intercepts, scale = np.zeros(settings.parts), np.zeros(len(words))
    for number in range(settings.parts):
        own = part == number
        weights[number, features], intercepts[number] = _fitted(weighted[~own], happy[~own])
        scale[own] = weighted[own] @ weights[number, features] + intercepts[number]
    slope, offset = _calibrated(scale, happy)
    base_log_odds = float(np.log(happy.sum() / (~happy).sum()))
    holdout = pd.DataFrame(
        {
            "text_key": chosen["text_key"].astype("str").to_numpy(),
            "language": pd.Series(language, dtype="str"),
            "is_positive": happy,
            "probability_positive": np.round(expit(slope * scale + offset), 6),
            "balanced_probability": np.round(expit(slope * scale + offset - base_log_odds), 6),
        }
    )
    return SentimentModel(settings, rarity, weights, intercepts, slope, offset, base_log_odds, statuses, holdout)


def _learnt_from(rated: pd.DataFrame, settings: SentimentSettings) -> tuple[list[str], pd.DataFrame]:
    """Normalised texts rated good or bad, in an order that follows from what they say, and their rows."""
    rows = rated[rated["is_positive"].notna() & rated["text"].notna()]
    words = normalised(rows["text"])
    keys = rows["text_key"].astype("str").to_numpy(dtype="U")
    order = np.lexsort((keys, text_hashes(words))) if words else np.zeros(0, dtype=np.int64)
    order = np.array([row for row in order.tolist() if words[row]], dtype=np.int64)[: settings.maximum_rated_texts]
    return [words[row] for row in order.tolist()], rows.iloc[order]


def _languages(texts: pd.DataFrame) -> list[str]:
    return texts["language"].astype("str").fillna(UNKNOWN_LANGUAGE).tolist()


def _enough(language: list[str], happy: npt.NDArray[np.bool_], minimum: int) -> dict[str, Status]:
    statuses: dict[str, Status] = {}
    for name in sorted(set(language)):
        own = happy[np.array(language) == name]
        few = min(int(own.sum()), int((~own).sum()))
        statuses[name] = "read" if few >= minimum else "too_little_rated_text"
    return statuses


def _nothing_learnt(settings: SentimentSettings, statuses: dict[str, Status]) -> SentimentModel:
    columns = {"text_key": "str", "language": "str", "is_positive": "bool"}
    columns |= dict.fromkeys(("probability_positive", "balanced_probability"), "float64")
    count = settings.ngrams.count_features
    return SentimentModel(
        settings=settings,
        rarity=np.zeros(count, dtype=np.float32),
        weights=np.zeros((settings.parts, count)),
        intercepts=np.zeros(settings.parts),
        slope=0.0,
        offset=0.0,
        base_log_odds=0.0,
        statuses=statuses,
        holdout=pd.DataFrame(columns=list(columns)).astype(columns),
    )


def _parts(words: list[str], parts: int) -> npt.NDArray[np.int64]:
    return (text_hashes(words) % np.uint64(parts)).astype(np.int64)


def _rarity(counted: sparse.csr_matrix) -> npt.NDArray[np.float32]:
    """Smoothed inverse document frequency, log((1 + n) / (1 + df)) + 1; 0 for features too rare."""
    held_by = np.bincount(counted.indices, minlength=counted.shape[1])
    rarity = np.log((1 + counted.shape[0]) / (1 + held_by)) + 1
    return np.where(held_by >= _RARE_BELOW, rarity, 0).astype(np.float32)


def _weighted(counted: sparse.csr_matrix, rarity: npt.NDArray[np.float32]) -> sparse.csr_matrix:
    """(1 + log count) x rarity, each text of length 1; features without rarity left out."""
    weighted = counted.copy()
    weighted.data = (1 + np.log(weighted.data)) * rarity[weighted.indices]
    weighted.eliminate_zeros()
    row = np.repeat(np.arange(weighted.shape[0]), np.diff(weighted.indptr))
    squares = np.bincount(row, weighted.data**2, minlength=weighted.shape[0])
    weighted.data /= np.sqrt(squares)[row].astype(np.float32)
    return weighted


def _fitted(weighted: sparse.csr_matrix, happy: npt.NDArray[np.bool_]) -> tuple[FloatArray, float]:
    """Weights and intercept, by dual coordinate descent: one thread, no matrix product, the same bits every time."""
    model: Any = LogisticRegression(
        C=_PENALTY, solver="liblinear", dual=True, tol=_TOLERANCE, max_iter=1_000, random_state=0
    )
    model.fit(weighted, happy)
    return model.coef_[0], float(model.intercept_[0])


def _calibrated(scale: FloatArray, happy: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of Platt's sigmoid on held-out scales, by Newton's method on its two parameters.

    Platt (1999) with the targets of his equation 2.2, which keep the sigmoid finite where the classes part cleanly.
    """
    positives = int(happy.sum())
    negatives = len(happy) - positives
    target = np.where(happy, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, offset = 1.0, 0.0
    for _ in range(50):
        chance = expit(slope * scale + offset)
        gap, spread = target - chance, chance * (1 - chance) + 1e-12
        slope_slope, offset_slope = float((gap * scale).sum()), float(gap.sum())
        a, b, c = float((spread * scale**2).sum()), float((spread * scale).sum()), float(spread.sum())
        steps = np.array([c * slope_slope - b * offset_slope, a * offset_slope - b * slope_slope]) / (a * c - b * b)
        slope, offset = slope + float(np.clip(steps[0], -2, 2)), offset + float(np.clip(steps[1], -2, 2))
        if np.abs(steps).max() < 1e-10:
            break
    return slope, offset
