"""How well sentiment was read on texts that the model had not learnt from, beside plain rules.

Belongs here: scores with their errors, by language. Does not belong here: the model (`sentiment.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from dagster_project.modelling.event_evaluation import calibration_error
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.ngrams import normalised
from dagster_project.modelling.voice.sentiment import SentimentModel, Status
from dagster_project.modelling.voice.tone_words import word_balance

Bools: TypeAlias = npt.NDArray[np.bool_]
Estimate: TypeAlias = tuple[float | None, float | None]
ALL_LANGUAGES = "all"
MODELS = ("learnt", "word_list", "majority")
COLUMNS = {
    "language": "str",
    "model": "str",
    "score": "str",
    "count_texts": "int64",
    "count_positive": "int64",
    "score_value": "float64",
    "standard_error": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "status": "str",
}
_LEARNT_SCORES = ("brier", "calibration_error")
_QUANTILE = float(ndtri(0.975))


def judged(model: SentimentModel, texts: pd.DataFrame) -> tuple[SentimentModel, pd.DataFrame]:
    """The scores of a model on its held-out texts, and the model without the languages that it cannot read.

    Args:
        model: learnt from some of the texts.
        texts: text_key and text, of at least those that were learnt from.

    Returns:
        The model, its status `no_better_than_chance` where the interval of a language's AUC holds 0.5.
        One row per language (`all`: those that are read, together), model (`learnt`, `word_list`, `majority`) and score
        (`roc_auc`, `accuracy`, `balanced_accuracy`: the mean of the shares of good and of bad texts that are called
        so, and for `learnt` `brier` and `calibration_error`), with 95 % limits; score_value is null
        for a language with too little rated text.
    """
    held = model.holdout.merge(texts[["text_key", "text"]].astype({"text_key": "str"}), on="text_key", how="left")
    held["balance"] = word_balance(normalised(held["text"]), held["language"].tolist())
    rows: list[dict[str, object]] = []
    statuses = dict(model.statuses)
    for language in sorted(statuses):
        own = held[held["language"] == language]
        found = list(_rows(own, language, statuses[language]))
        low = next((row["ci_low"] for row in found if (row["model"], row["score"]) == ("learnt", "roc_auc")), None)
        if statuses[language] == "read" and isinstance(low, float) and low <= 0.5:
            statuses[language] = "no_better_than_chance"
        rows += [row | {"status": statuses[language]} for row in found]
    is_read = held["language"].map(statuses).eq("read") if len(held) else held["language"].eq("")
    rows += _rows(held[is_read], ALL_LANGUAGES, "read" if is_read.any() else "too_little_rated_text")
    return replace(model, statuses=statuses), pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def auc_with_error(happened: Bools, score: FloatArray) -> Estimate:
    """Area under the ROC curve and its standard error (DeLong, DeLong and Clarke-Pearson 1988); None where undefined.

    Args:
        happened: shape (n,).
        score: shape (n,); ties count half.
    """
    good, bad = score[happened], score[~happened]
    if len(good) < 2 or len(bad) < 2:
        return None, None
    together = rankdata(np.concatenate([good, bad]))
    # share of the other class that each one ranks above
    placed_good = (together[: len(good)] - rankdata(good)) / len(bad)
    placed_bad = 1 - (together[len(good) :] - rankdata(bad)) / len(good)
    error = np.sqrt(placed_good.var(ddof=1) / len(good) + placed_bad.var(ddof=1) / len(bad))
    return float(placed_good.mean()), float(error)


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927).

    Args:
        successes: at most count.
        count: at least 1.
    """
    share, z2 = successes / count, _QUANTILE**2
    centre, width = share + z2 / (2 * count), _QUANTILE * np.sqrt((share * (1 - share) + z2 / (4 * count)) / count)
    return float((centre - width) / (1 + z2 / count)), float((centre + width) / (1 + z2 / count))


def _rows(held: pd.DataFrame, language: str, status: Status) -> Iterator[dict[str, object]]:
    happy = held["is_positive"].to_numpy(dtype=np.bool_)
    is_scored = status == "read" and len(held) > 0
    scores_of = _scores_of(held, happy) if is_scored else {}
    for model in MODELS:
        for score in ("roc_auc", "accuracy", "balanced_accuracy", *(_LEARNT_SCORES if model == "learnt" else ())):
            value, error, low, high = scores_of[model, score]() if is_scored else (None, None, None, None)
            yield {
                "language": language,
                "model": model,
                "score": score,
                "count_texts": len(held),
                "count_positive": int(happy.sum()),
                "score_value": value,
                "standard_error": error,
                "ci_low": low,
                "ci_high": high,
                "status": status,
            }


_Scored: TypeAlias = tuple[float | None, float | None, float | None, float | None]


def _scores_of(held: pd.DataFrame, happy: Bools) -> Mapping[tuple[str, str], Callable[[], _Scored]]:
    probability = held["probability_positive"].to_numpy(dtype=np.float64)
    balance = held["balance"].to_numpy(dtype=np.float64)
    commoner = bool(2 * happy.sum() >= len(happy))
    says_good = np.where(balance == 0, commoner, balance > 0)  # no word of either side: the commoner class
    return {
        ("learnt", "roc_auc"): lambda: _auc(happy, probability),
        ("learnt", "accuracy"): lambda: _accuracy(happy, probability > 0.5),
        ("learnt", "balanced_accuracy"): lambda: _balanced(happy, held["balanced_probability"].to_numpy() > 0.5),
        ("word_list", "balanced_accuracy"): lambda: _balanced(happy, says_good),
        ("majority", "balanced_accuracy"): lambda: (0.5, None, None, None),
        ("learnt", "brier"): lambda: _mean((probability - happy) ** 2),
        ("learnt", "calibration_error"): lambda: (calibration_error(happy, probability), None, None, None),
        ("word_list", "roc_auc"): lambda: _auc(happy, balance),
        ("word_list", "accuracy"): lambda: _accuracy(happy, says_good),
        ("majority", "roc_auc"): lambda: (0.5, None, None, None),
        ("majority", "accuracy"): lambda: _accuracy(happy, np.full(len(happy), commoner)),
    }


def _auc(happy: Bools, score: FloatArray) -> _Scored:
    value, error = auc_with_error(happy, score)
    if value is None or error is None:
        return value, error, None, None
    return value, error, max(value - _QUANTILE * error, 0.0), min(value + _QUANTILE * error, 1.0)


def _accuracy(happy: Bools, said: Sequence[bool] | Bools) -> _Scored:
    hits, count = int((happy == said).sum()), len(happy)
    share = hits / count
    return share, float(np.sqrt(share * (1 - share) / count)), *wilson(hits, count)


def _balanced(happy: Bools, said: Bools) -> _Scored:
    if happy.all() or not happy.any():
        return None, None, None, None
    shares = [float(said[happy].mean()), float((~said[~happy]).mean())]
    counts = [int(happy.sum()), int((~happy).sum())]
    spread = sum(share * (1 - share) / count for share, count in zip(shares, counts, strict=True))
    value, error = sum(shares) / 2, float(np.sqrt(spread)) / 2
    return value, error, max(value - _QUANTILE * error, 0.0), min(value + _QUANTILE * error, 1.0)


def _mean(terms: FloatArray) -> _Scored:
    value, error = float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(len(terms))) if len(terms) > 1 else 0.0
    return value, error, value - _QUANTILE * error, value + _QUANTILE * error
