"""Who is tried for the chance of no order, and what each says on an evening with no look at what came later.

Belongs here: growing trees and fitting calibrations for past evenings and the night, each once. Not here: who is
believed (`selection.py`), scoring everybody (`model.py`).

A candidate is the purchase model, alone, with trees or with half of what trees add, as it stands or calibrated. Half
errs less where trees saw few evenings. The trees of an evening learn from lessons whose horizons had ended by then; its
calibration is fitted to what the same kind of trees had said on back-test evenings that had ended by then: a later
window than anything those trees had seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import expit

from dagster_project.modelling.feature_groups import FeatureGroup
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.leaving.calibration import Calibration
from dagster_project.modelling.leaving.evenings import Evening, known_by
from dagster_project.modelling.leaving.trees import Trees, grow
from dagster_project.modelling.origins import Plan
from dagster_project.modelling.selection import Choice, Trial, choose

COUNT_CALIBRATION_EVENINGS = 2
"""The latest back-test evenings that a calibration is fitted to."""
Groups = tuple[FeatureGroup, ...]


@dataclass(frozen=True)
class Candidate:
    """One way to say who leaves.

    Attributes:
        weight_of_trees: how much of what trees add to the purchase model's log odds is believed, 0 to 1.
        reads_groups: whether these read more than orders.
        is_calibrated: whether what it says is brought to what followed.
    """

    weight_of_trees: float = 0.0
    reads_groups: bool = False
    is_calibrated: bool = False

    @property
    def has_trees(self) -> bool:
        """Whether trees stand on the purchase model."""
        return self.weight_of_trees > 0


_TREES = {
    "half_boosted_orders": Candidate(0.5),
    "boosted_orders": Candidate(1.0),
    "half_boosted": Candidate(0.5, reads_groups=True),
    "boosted": Candidate(1.0, reads_groups=True),
}
CANDIDATES: Mapping[str, Candidate] = {
    **_TREES,
    "calibrated": Candidate(is_calibrated=True),
    **{f"{name}_calibrated": replace(one, is_calibrated=True) for name, one in _TREES.items()},
}
"""In the order of preference at a tie; before them stands the purchase model itself, by its own name."""


@dataclass
class Record:
    """The past evenings of a plan and what was learned on them, each once.

    Attributes:
        plan: the days.
        evenings: day to evening; days without a certified purchase model are absent.
        groups: that the shop has facts for.
        threads: of LightGBM.
    """

    plan: Plan
    evenings: Mapping[dt.date, Evening]
    groups: Groups
    threads: int = 1
    _grown: dict[tuple[dt.date, tuple[str, ...]], Trees | None] = field(default_factory=dict)

    def candidates(self) -> dict[str, Candidate]:
        """Those that differ on this shop."""
        return {name: one for name, one in CANDIDATES.items() if self.groups or not one.reads_groups}

    def groups_of(self, candidate: Candidate) -> Groups:
        """What the trees of a candidate read besides orders."""
        return self.groups if candidate.reads_groups else ()

    def trees(self, day: dt.date, groups: Groups) -> Trees | None:
        """What could be learned by the evening of a day; None where too little had happened.

        Args:
            day: as-of, or one of the plan's origins.
            groups: what is read besides orders.
        """
        key = (day, tuple(group.name for group in groups))
        if key not in self._grown:
            self._grown[key] = grow(known_by(self.evenings, self.plan.lessons(day)), groups, self.threads)
        return self._grown[key]

    def log_odds(self, evening: Evening, candidate: Candidate) -> FloatArray | None:
        """What a candidate says before calibration, shape (n,); None where its trees could not be grown."""
        if not candidate.has_trees:
            return evening.log_odds
        trees = self.trees(evening.cutoff, self.groups_of(candidate))
        if trees is None:
            return None
        return evening.log_odds + candidate.weight_of_trees * trees.log_odds(evening.features, evening.rhythm)

    def calibration(self, asked: Evening, candidate: Candidate) -> Calibration | None:
        """The calibration that was to be had by an evening; None where nothing like it had ended yet.

        Evenings of the calendar teach nothing to those of the shop's own clock: they were off by the season, which the
        clock has put right.

        Args:
            asked: the night, or one of the plan's origins.
            candidate: whose predictions.
        """
        latest = asked.cutoff - dt.timedelta(days=self.plan.horizon_days)
        ended = known_by(self.evenings, sorted((day for day in self.plan.origins if day <= latest), reverse=True))
        alike = [one for one in ended if one.is_by_own_clock == asked.is_by_own_clock]
        said, followed = [], []
        for evening in alike[:COUNT_CALIBRATION_EVENINGS]:
            log_odds = self.log_odds(evening, candidate)
            if log_odds is not None and evening.has_left is not None:
                said.append(log_odds)
                followed.append(evening.has_left)
        return Calibration.fit(np.concatenate(said), np.concatenate(followed)) if said else None

    def probabilities(self, evening: Evening) -> dict[str, FloatArray]:
        """What every candidate says on an evening, each of shape (n,); who could not be fitted is absent."""
        found = {}
        for name, candidate in self.candidates().items():
            log_odds = self.log_odds(evening, candidate)
            calibration = self.calibration(evening, candidate) if candidate.is_calibrated else Calibration()
            if log_odds is not None and calibration is not None:
                found[name] = np.asarray(expit(calibration.of(log_odds)), dtype=np.float64)
        return found

    def trials(self, base: str) -> list[Trial]:
        """What was said on every origin beside what followed, latest first.

        Args:
            base: name of the purchase model, who is the incumbent.
        """
        return [self._trial(evening, base) for evening in known_by(self.evenings, self.plan.origins)]

    def _trial(self, evening: Evening, base: str) -> Trial:
        if evening.has_left is None:
            raise ValueError(f"{evening.cutoff} is an origin whose outcome is not known; read it with past_evenings()")
        by_model = np.asarray(expit(evening.log_odds), dtype=np.float64)
        features = evening.features
        since = (features["days_observed"] - features["days_first_to_last_order"]).to_numpy(dtype=np.float64)
        share = evening.has_left.mean() if evening.has_left.size else np.nan
        predicted = {base: by_model, **self.probabilities(evening)}
        predicted |= {"days_since_last_order": since, "base_rate": np.full(since.size, share)}
        return Trial(evening.cutoff, evening.has_left, predicted, by_model, features["cohort_month"])


def chosen(trials: Sequence[Trial], base: str, able: Sequence[str]) -> tuple[Choice, Choice]:
    """Who is believed, and whether calibrated: two choices by the champion rule, one after the other.

    A calibration moves everybody by what the season before did, which may be luck that the next season takes back. So
    it is no part of the first choice, which is among candidates as they stand; it has to be better than the winner
    itself, by the same rule.

    Args:
        trials: from `Record.trials`.
        base: the purchase model, the first incumbent.
        able: who could be fitted tonight.

    Returns:
        The choice among candidates as they stand; that between its champion and the same calibrated.
    """
    as_it_stands = [name for name in able if name == base or not CANDIDATES[name].is_calibrated]
    first = choose("no_order", trials, base, as_it_stands)
    winner = CANDIDATES.get(first.champion, Candidate())
    twin = replace(winner, is_calibrated=True)
    calibrated = [name for name in able if CANDIDATES.get(name) == twin]
    against = [replace(trial, incumbent=trial.predicted.get(first.champion)) for trial in trials]
    return first, choose("no_order", against, first.champion, calibrated)


def names_tried(record: Record, base: str) -> Sequence[str]:
    """Everyone in the record, the purchase model first.

    Args:
        record: of the night.
        base: name of the purchase model.
    """
    return [base, *record.candidates()]
