"""What moves somebody's chance of leaving beyond their purchase history: boosted trees on top of the purchase model.

Belongs here: the columns that the trees read, each with the cause that it speaks for, growing them, and what each
column contributes to a customer's log odds. Not here: whether the trees are believed (`night.py`), words
(`reasons.py`).

Trees start from the purchase model's log odds of no order, in each lesson moved by one number so that as many leave as
did: what they learn is how customers differ. How many leave in all moves with the season and is left to the
calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from dagster_project.modelling.challengers import COUNT_TREES, MINIMUM_BUYERS, PARAMETERS
from dagster_project.modelling.feature_groups import FeatureGroup
from dagster_project.modelling.features import WINDOWS_DAYS
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.leaving.evenings import Evening
from dagster_project.modelling.rhythm import Rhythm, days_since_last_order, gap_multiple, usual_gap_days

OVERDUE, PACE = "overdue", "pace"
CAUSE_OF: Mapping[str, str] = {
    "days_since_last_order": OVERDUE,
    "gap_multiple": OVERDUE,
    "count_repeat_occasions": PACE,
    "days_observed": PACE,
    "usual_gap_days": PACE,
    "last_gap_days": PACE,
    "gap_before_last_days": PACE,
    "longest_gap_days": PACE,
    "spread_gap_days": PACE,
    **{f"count_occasions_{days}d": PACE for days in WINDOWS_DAYS},
    "mean_occasion_net": "spend",
    "last_occasion_net": "spend",
    "largest_occasion_net": "spend",
    "mean_occasion_units": "spend",
    **{f"total_net_{days}d": "spend" for days in WINDOWS_DAYS},
    "refunded_share": "refunds",
    "count_channels": "range",
    "count_kinds": "range",
}
"""Columns out of orders, and the cause that each speaks for. A group's columns speak for the group."""
_LEVEL_STEPS = 30


@dataclass(frozen=True)
class Trees:
    """Grown trees.

    Attributes:
        booster: of LightGBM.
        groups: whose columns they read, after those out of orders.
        count_rows: customers in all lessons together.
    """

    booster: Any
    groups: tuple[FeatureGroup, ...]
    count_rows: int

    @property
    def causes(self) -> tuple[str, ...]:
        """The cause of each column, in the order of the design."""
        return (*CAUSE_OF.values(), *(group.name for group in self.groups for _ in group.columns))

    def log_odds(self, features: pd.DataFrame, rhythm: Rhythm | None) -> FloatArray:
        """What they add to the log odds of each customer, shape (n,).

        Args:
            features: rows of `customer_features` with the groups.
            rhythm: of the same evening.
        """
        if features.empty:
            return np.zeros(0)
        return np.asarray(self.booster.predict(design(features, rhythm, self.groups), raw_score=True), dtype=np.float64)

    def contributions(self, features: pd.DataFrame, rhythm: Rhythm | None) -> dict[str, FloatArray]:
        """What each cause adds to the log odds, against the mean of the lessons; each of shape (n,).

        They are TreeSHAP values (Lundberg et al. 2020, "From local explanations to global understanding"), summed over
        the columns of a cause, which adds up: all causes and the mean of the lessons make `log_odds`.

        Args:
            features: rows of `customer_features` with the groups.
            rhythm: of the same evening.
        """
        causes = np.array(self.causes)
        names = list(dict.fromkeys(self.causes))
        if features.empty:
            return {cause: np.zeros(0) for cause in names}
        said = self.booster.predict(design(features, rhythm, self.groups), pred_contrib=True)
        return {cause: np.asarray(said[:, :-1][:, causes == cause].sum(axis=1), dtype=np.float64) for cause in names}


def design(features: pd.DataFrame, rhythm: Rhythm | None, groups: Sequence[FeatureGroup]) -> npt.NDArray[np.float32]:
    """What the trees read of each customer, shape (n, k): the columns of `CAUSE_OF`, then those of the groups.

    Args:
        features: rows of `customer_features` with the groups.
        rhythm: of the same evening.
        groups: whose columns are read.
    """
    derived = {
        "days_since_last_order": days_since_last_order(features),
        "gap_multiple": gap_multiple(rhythm, features),
        "usual_gap_days": usual_gap_days(rhythm, features),
    }
    names = [*CAUSE_OF, *(column for group in groups for column in group.columns)]
    found = np.empty((len(features), len(names)), dtype=np.float32)
    for place, name in enumerate(names):
        found[:, place] = (
            derived[name] if name in derived else features[name].to_numpy(dtype=np.float64, na_value=np.nan)
        )
    return found


def grow(lessons: Sequence[Evening], groups: Sequence[FeatureGroup], threads: int = 1) -> Trees | None:
    """Trees that have seen who left after earlier evenings; None where too few left or stayed.

    Args:
        lessons: evenings whose horizon has ended.
        groups: whose columns are read.
        threads: of LightGBM; the trees are the same for any number.
    """
    import lightgbm  # half a second, for nights that learn and for nothing else

    followed = [lesson.has_left for lesson in lessons if lesson.has_left is not None]
    has_left = np.concatenate(followed) if followed else np.zeros(0)
    if min(has_left.sum(), has_left.size - has_left.sum()) < MINIMUM_BUYERS:
        return None
    start = np.concatenate([levelled(lesson.log_odds, left) for lesson, left in zip(lessons, followed, strict=True)])
    read = np.concatenate([design(lesson.features, lesson.rhythm, groups) for lesson in lessons])
    rows = lightgbm.Dataset(read, has_left, init_score=start)
    parameters = PARAMETERS | {"objective": "binary", "num_threads": threads}
    return Trees(lightgbm.train(parameters, rows, COUNT_TREES), tuple(groups), has_left.size)


def levelled(log_odds: FloatArray, has_left: FloatArray) -> FloatArray:
    """Log odds moved by one number so that as many are expected to leave as did, shape (n,).

    Args:
        log_odds: shape (n,).
        has_left: what followed, shape (n,); left as they are where all or none left.
    """
    wanted = has_left.mean() if has_left.size else 0.0
    if not 0 < wanted < 1:
        return log_odds
    low, high = -50.0, 50.0
    for _ in range(_LEVEL_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(log_odds + middle).mean() < wanted else (low, middle)
    return log_odds + (low + high) / 2
