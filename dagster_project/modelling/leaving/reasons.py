"""Why somebody is thought to leave or to stay: the causes that weigh most, in words.

Belongs here: which causes a customer gets, and filling the sentences. Not here: what a cause contributes
(`LeavingModel.contributions`), the sentences (`reason_words.py`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.leaving.model import LeavingModel
from dagster_project.modelling.leaving.reason_words import PHRASES, Condition, Language
from dagster_project.modelling.rhythm import Rhythm, days_since_last_order, gap_multiple, usual_gap_days

COUNT_REASONS = 3
SMALLEST_CONTRIBUTION = 0.05
"""In log odds: at even odds it moves a probability by one point in a hundred; less is not worth a sentence."""
COLUMNS = {
    "customer_key": "str",
    "as_of_date": "datetime64[s]",
    "reason_rank": "int64",
    "cause": "str",
    "direction": "str",
    "contribution": "float64",
    "sentence": "str",
}
_COMPARED: Mapping[str, Callable[[Any, float], Any]] = {"<": operator.lt, ">=": operator.ge, "==": operator.eq}


def reasons(model: LeavingModel, features: pd.DataFrame) -> pd.DataFrame:
    """At most three causes a customer, the weightiest first.

    Args:
        model: of the night, fitted unless there are no rows.
        features: rows of `customer_features` on the night, of active customers; may be empty.

    Returns:
        customer_key, as_of_date, reason_rank (from 1), cause, direction (`raises` or `lowers` the chance of leaving),
        contribution (in log odds, against the mean active customer), sentence; ordered by customer and rank. Causes
        that contribute less than 0.05 either way are left out.
    """
    if features.empty:
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    contributions = model.contributions(features)
    causes = list(contributions)
    sizes = np.stack([contributions[cause] for cause in causes], axis=1)
    ranked = np.argsort(-np.abs(sizes), axis=1, kind="stable")[:, :COUNT_REASONS]
    told = np.take_along_axis(sizes, ranked, axis=1)
    row, place = np.nonzero(np.abs(told) >= SMALLEST_CONTRIBUTION)
    cause, contribution = ranked[row, place], told[row, place]
    found = pd.DataFrame(
        {
            "customer_key": features["customer_key"].to_numpy()[row],
            "as_of_date": np.full(row.size, np.datetime64(model.as_of, "s")),
            "reason_rank": place + 1,
            "cause": np.array(causes, dtype=object)[cause],
            "direction": np.where(contribution > 0, "raises", "lowers"),
            "contribution": contribution,
            "sentence": _sentences(facts(features, model.rhythm), causes, row, cause, model.settings.language),
        }
    )
    return found.astype(COLUMNS)


def facts(features: pd.DataFrame, rhythm: Rhythm | None) -> dict[str, FloatArray]:
    """The columns that sentences may show, each of shape (n,), NaN for null.

    Args:
        features: rows of `customer_features` with groups.
        rhythm: of the same evening.
    """
    numbers = features.select_dtypes("number")
    known = {str(name): numbers[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in numbers}
    with np.errstate(invalid="ignore", divide="ignore"):
        known["spend_multiple"] = known["last_occasion_net"] / known["mean_occasion_net"]
    known["count_occasions"] = known["count_repeat_occasions"] + 1
    known["days_since_last_order"] = days_since_last_order(features)
    known["usual_gap_days"] = usual_gap_days(rhythm, features)
    known["gap_multiple"] = gap_multiple(rhythm, features)
    return known


def _sentences(
    known: Mapping[str, FloatArray],
    causes: list[str],
    row: npt.NDArray[np.intp],
    cause: npt.NDArray[np.intp],
    language: Language,
) -> npt.NDArray[np.object_]:
    """The sentence of each reason, from the first phrase of its cause that holds for its customer."""
    told = np.empty(row.size, dtype=object)
    for number, name in enumerate(causes):
        open_reasons = np.flatnonzero(cause == number)
        for phrase in PHRASES[name]:
            chosen = open_reasons[_hold(known, phrase.when, row[open_reasons])]
            shown = {
                column: values[row[chosen]]
                for column, values in known.items()
                if f"{{{column}:" in phrase.texts[language]
            }
            template = phrase.texts[language]
            rows = zip(*shown.values(), strict=True) if shown else ((),) * chosen.size
            told[chosen] = [template.format(**dict(zip(shown, values, strict=True))) for values in rows]
            open_reasons = np.setdiff1d(open_reasons, chosen, assume_unique=True)
    return told


def _hold(
    known: Mapping[str, FloatArray], when: tuple[Condition, ...], row: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Whether all conditions hold for each row, shape as `row`."""
    holds = np.ones(row.size, dtype=np.bool_)
    for column, comparison, limit in when:
        holds &= _COMPARED[comparison](known[column][row], limit)
    return holds
