"""Learned corrections of the purchase model: boosted trees that have seen what followed at earlier cut-offs.

Belongs here: what the trees read, what each of them is asked, and how its answer becomes a correction. Not here: which
days are lessons (`origins.py`), whether a correction is used (`selection.py`).

Every learner answers with a number per customer that corrects the purchase model at any horizon: a factor on expected
orders or net, or a shift of the log-odds of buying at all. So one correction gives 30, 90 and 365 days that agree with
one another. Factors say how customers differ and leave the shop's total as it was: whether the season was good in the
lessons says nothing of the season to come, and learned together the two spoil each other (in the history of Online
Retail II, up to March 2011, the total was 32 % too high without trees and 49 % with them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from dagster_project.modelling.features import WINDOWS_DAYS
from dagster_project.modelling.histories import FloatArray

Target: TypeAlias = Literal["orders", "net"]

COUNT_TREES = 100
"""With a rate of 0.05 and 8 leaves: small on purpose, the first tried and not tuned; 31,000 rows take 0.2 s."""
PARAMETERS = {
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_child_samples": 50,
    "lambda_l2": 10.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_col_wise": True,
    "seed": 7,
    "verbose": -1,
}
MINIMUM_BUYERS = 100
"""Customers with an outcome to learn from; a leaf needs 50 customers, so fewer could not be told apart."""
SMALLEST_EXPECTATION = 1e-9
_OBJECTIVES: Mapping[Target, dict[str, Any]] = {
    "orders": {"objective": "poisson"},
    "net": {"objective": "tweedie", "tweedie_variance_power": 1.5},
}
_PLAIN = (
    "count_repeat_occasions",
    "days_observed",
    "last_gap_days",
    "gap_before_last_days",
    "longest_gap_days",
    "spread_gap_days",
    "mean_occasion_net",
    "last_occasion_net",
    "largest_occasion_net",
    "mean_occasion_units",
    "refunded_share",
    "count_channels",
    "count_kinds",
    *(f"count_occasions_{days}d" for days in WINDOWS_DAYS),
    *(f"total_net_{days}d" for days in WINDOWS_DAYS),
)


@dataclass(frozen=True)
class Learner:
    """What one learner is asked.

    Attributes:
        target: what followed: orders or net.
        is_offset: whether it starts from the purchase model's expectation, or only reads it as a feature.
    """

    target: Target
    is_offset: bool


LEARNERS: Mapping[str, Learner] = {
    "boosted": Learner("orders", is_offset=True),
    "boosted_features": Learner("orders", is_offset=False),
    "boosted_net": Learner("net", is_offset=False),
}


@dataclass(frozen=True)
class Prior:
    """What the purchase and spend model say of each customer over the lesson's horizon, each of shape (n,).

    Attributes:
        orders: expected orders, at least 0.
        net: expected net, in money, at least 0.
        no_order: probability of no order, 0 to 1.
    """

    orders: FloatArray
    net: FloatArray
    no_order: FloatArray

    def score(self, target: Target) -> FloatArray:
        """Logarithm of the expectation, which the trees add to."""
        return np.log(np.maximum(self.orders if target == "orders" else self.net, SMALLEST_EXPECTATION))

    @property
    def log_odds_of_order(self) -> FloatArray:
        """Log odds of any order."""
        kept = np.clip(self.no_order, SMALLEST_EXPECTATION, 1 - SMALLEST_EXPECTATION)
        return np.asarray(np.log1p(-kept) - np.log(kept), dtype=np.float64)


@dataclass(frozen=True)
class Lesson:
    """One earlier cut-off: what was known (`design`), expected (`prior`) and followed, in one order of customers."""

    design: npt.NDArray[np.float32]
    prior: Prior
    orders: FloatArray
    net: FloatArray

    def outcome(self, target: Target) -> FloatArray:
        """What followed, shape (n,)."""
        return self.orders if target == "orders" else self.net


@dataclass(frozen=True)
class Correction:
    """A learner that has learned.

    Attributes:
        name: key of `LEARNERS`.
        booster: the trees.
        intercept: added to what the trees say; 0 for those that start from an expectation.
        count_rows: customers in all lessons together.
        scale: factor that keeps the total of the evening as it was.
    """

    name: str
    booster: Any
    intercept: float
    count_rows: int
    scale: float = 1.0

    def of(self, design: npt.NDArray[np.float32], prior: Prior) -> FloatArray:
        """The correction of each customer, a factor, shape (n,).

        Args:
            design: from `design_matrix`.
            prior: over the lessons' horizon.
        """
        learner = LEARNERS[self.name]
        raw = np.asarray(self.booster.predict(design, raw_score=True), dtype=np.float64) + self.intercept
        if not learner.is_offset:
            raw -= prior.score(learner.target)
        return np.asarray(np.exp(raw) * self.scale, dtype=np.float64)

    def keeping_total(self, design: npt.NDArray[np.float32], prior: Prior) -> Correction:
        """The same correction, scaled so that it leaves the total of these customers as it was.

        Args:
            design: from `design_matrix`, of the evening to be predicted from.
            prior: of the same customers.
        """
        expected = np.exp(prior.score(LEARNERS[self.name].target))
        corrected = float((expected * self.of(design, prior)).sum())
        return replace(self, scale=self.scale * float(expected.sum()) / corrected) if corrected > 0 else self

    def to_dict(self) -> dict[str, Any]:
        """What was learned from how much, JSON-able; the trees themselves are grown again each night."""
        return {
            "model": self.name,
            "count_trees": int(self.booster.num_trees()),
            "count_rows": self.count_rows,
            "scale": self.scale,
        }


def design_matrix(features: pd.DataFrame, prior: Prior) -> npt.NDArray[np.float32]:
    """What the trees read of each customer, shape (n, k): features, pace against own habit, and the prior.

    Args:
        features: rows of `customer_features` at one cut-off.
        prior: of the same customers.
    """
    since = (features["days_observed"] - features["days_first_to_last_order"]).to_numpy(dtype=np.float64)
    repeats = features["count_repeat_occasions"].to_numpy(dtype=np.float64)
    usual_gap = features["days_first_to_last_order"].to_numpy(dtype=np.float64) / np.maximum(repeats, 1)
    columns = [features[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in _PLAIN]
    columns += [since, since / np.maximum(usual_gap, 1), *(prior.score(target) for target in _OBJECTIVES)]
    columns.append(prior.log_odds_of_order)
    return np.stack(columns, axis=1).astype(np.float32)


def learn(name: str, lessons: Sequence[Lesson], threads: int = 1) -> Correction | None:
    """Grow the trees of one learner; None where too few customers bought anything.

    Args:
        name: key of `LEARNERS`.
        lessons: at cut-offs whose horizon has ended, all of one length.
        threads: of LightGBM; the trees are the same for any number.
    """
    import lightgbm  # half a second, for nights that fit and for nothing else

    learner = LEARNERS[name]
    outcome = np.concatenate([lesson.outcome(learner.target) for lesson in lessons]) if lessons else np.zeros(0)
    if np.count_nonzero(outcome) < MINIMUM_BUYERS:
        return None
    starts = [_starts(lesson, learner) for lesson in lessons]
    intercept = 0.0 if learner.is_offset else float(np.log(outcome.mean()))
    start = np.concatenate(starts) if learner.is_offset else np.full(outcome.size, intercept)
    rows = lightgbm.Dataset(np.concatenate([lesson.design for lesson in lessons]), outcome, init_score=start)
    parameters = PARAMETERS | _OBJECTIVES[learner.target] | {"num_threads": threads}
    booster = lightgbm.train(parameters, rows, COUNT_TREES)
    return Correction(name, booster, intercept, outcome.size)


def _starts(lesson: Lesson, learner: Learner) -> FloatArray:
    """Where the trees start from in one lesson: the expectation, brought to what the lesson's customers did in all."""
    score = lesson.prior.score(learner.target)
    total, expected = lesson.outcome(learner.target).sum(), np.exp(score).sum()
    return np.asarray(score + np.log(total / expected) if min(total, expected) > 0 else score, dtype=np.float64)
