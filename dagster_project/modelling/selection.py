"""Which candidate is believed: paired losses on past evenings, and one rule for all targets.

Belongs here: the losses, the rule, and the record of how each candidate fared. Not here: the predictions
(`candidates.py`), the evenings (`backtest.py`), the scores that are shown (`evaluation.py`, `event_evaluation.py`).

**The level stands apart.** What a shop sells in a season moves every customer at once and every model alike: on the
history of Online Retail II the total was 22 % too low at one origin and 73 % too high at the next, and a comparison of
models as they stand compares their luck with it. So models are compared by how well they tell customers apart, each
scaled to the total that really followed; the total is corrected by itself, for whichever model wins. A baseline brings
its own level and is compared as it stands; so are probabilities.

**The losses** of a customer are the deviance (orders: Poisson; net: Tweedie with power 1.5; no order: log-loss), which
listens to everybody, and the squared error, which listens to the few who buy most. Both are minimised by the true
expectation (Bregman losses; Gneiting 2011, "Making and evaluating point forecasts", theorem 7).

**The rule.** For a challenger and a loss, D_j is the mean over the customers of origin j of its loss less the
incumbent's, as a share of the incumbent's mean loss; D is the mean of the D_j; and

    SE^2 = sum_j var_j / n_j / J^2 + var(D_1 .. D_J) / J

is the error from customers within origins and the error between origins, whose customers share one season (the second
term is 0 for a single origin: nothing is known of it). A challenger passes when its deviance is lower by more than one
standard error, D + SE < 0, and its squared error is not higher by more than one, D - SE <= 0. Of those that pass, the
one with the smallest D + SE of the deviance is champion; ties go to the earlier in the table. A challenger is compared
on the evenings on which it could be fitted; who could not be on the latest of them, or on the night itself, does not
stand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.loss_terms import (
    log_loss_terms,
    poisson_deviance_terms,
    squared_error_terms,
    tweedie_deviance_terms,
)

Prediction: TypeAlias = Literal["orders", "net", "no_order"]

Loss: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]
COUNT_NEAREST = 5

DEVIANCES: Mapping[Prediction, Loss] = {
    "orders": poisson_deviance_terms,
    "net": tweedie_deviance_terms,
    "no_order": log_loss_terms,
}


@dataclass(frozen=True)
class Trial:
    """One evening of the past: what followed, and what each candidate said, in one order of customers.

    Attributes:
        cutoff: the evening.
        actual: outcomes, shape (n,).
        predicted: candidate to predictions, shape (n,); who could not be fitted is absent.
        incumbent: what the incumbent said, shape (n,): the first purchase model that was certified on the evening;
            None where there was none.
        cohort_month: month of first order, shape (n,), to score by.
        out_of_season: what the incumbent says by the calendar, shape (n,); None where that is the same.
        no_order: the incumbent's probability of no order, shape (n,); None but on trials of orders.
        log_errors: standard errors of the logs of the shop's orders and of its net per order, from season and level.
    """

    cutoff: dt.date
    actual: FloatArray
    predicted: Mapping[str, FloatArray]
    incumbent: FloatArray | None
    cohort_month: pd.Series
    out_of_season: FloatArray | None = None
    no_order: FloatArray | None = None
    log_errors: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Standing:
    """How one challenger fared against the incumbent.

    Attributes:
        name: of the candidate.
        deviance_change: D of the deviance: -0.02 is two per cent less; None where not comparable.
        deviance_error: its standard error.
        squared_error_change: D of the squared error.
        squared_error_error: its standard error.
        count_origins: evenings compared.
    """

    name: str
    deviance_change: float | None = None
    deviance_error: float | None = None
    squared_error_change: float | None = None
    squared_error_error: float | None = None
    count_origins: int = 0

    @property
    def is_better(self) -> bool:
        """Whether the challenger passes the rule of the module."""
        if self.deviance_change is None or self.deviance_error is None:
            return False
        if self.squared_error_change is None or self.squared_error_error is None:
            return False
        is_worse_for_the_few = self.squared_error_change > self.squared_error_error
        return self.deviance_change + self.deviance_error < 0 and not is_worse_for_the_few

    def to_dict(self) -> dict[str, Any]:
        """The standing, JSON-able."""
        return asdict(self) | {"is_better": self.is_better}


@dataclass(frozen=True)
class Choice:
    """The champion, whom it had to beat, and the standing of everyone who tried."""

    champion: str
    incumbent: str
    standings: tuple[Standing, ...]

    def to_dict(self) -> dict[str, Any]:
        """The choice, JSON-able; of the standings those that passed and, for the record, the nearest that did not."""
        compared = [one for one in self.standings if one.deviance_change is not None]
        compared.sort(key=lambda one: (not one.is_better, (one.deviance_change or 0) + (one.deviance_error or 0)))
        return {
            "champion": self.champion,
            "incumbent": self.incumbent,
            "count_compared": len(compared),
            "nearest": [one.to_dict() for one in compared[:COUNT_NEAREST]],
        }


def choose(
    prediction: Prediction,
    trials: Sequence[Trial],
    incumbent: str,
    challengers: Iterable[str],
    *,
    as_they_stand: Container[str] = (),
) -> Choice:
    """The champion by the rule of the module.

    Args:
        prediction: which losses.
        trials: evenings of the past, latest first; those without an incumbent, or on which nothing followed, teach
            nothing.
        incumbent: who stays unless somebody is better.
        challengers: who may be fitted tonight, in the order of preference at a tie.
        as_they_stand: who brings a level of their own, as baselines do.
    """
    usable = [trial for trial in trials if trial.incumbent is not None and trial.actual.any()]
    standings = tuple(
        standing(prediction, usable, name, is_levelled=prediction != "no_order" and name not in as_they_stand)
        for name in challengers
        if name != incumbent
    )
    passed = [one for one in standings if one.is_better]
    best = min(passed, key=lambda one: (one.deviance_change or 0) + (one.deviance_error or 0), default=None)
    return Choice(incumbent if best is None else best.name, incumbent, standings)


def standing(prediction: Prediction, trials: Sequence[Trial], name: str, *, is_levelled: bool) -> Standing:
    """How a challenger fared on these evenings.

    Args:
        prediction: which losses.
        trials: evenings with an incumbent, latest first.
        name: the challenger.
        is_levelled: whether both are scaled to the total that followed.
    """
    stood = [trial for trial in trials if name in trial.predicted]
    if not stood or stood[0] is not trials[0]:
        return Standing(name)
    found = [
        mean_change([_loss_changes(loss, trial, name, is_levelled=is_levelled) for trial in stood])
        for loss in (DEVIANCES[prediction], squared_error_terms)
    ]
    return Standing(name, *found[0], *found[1], len(stood))


def keeps_level(trials: Sequence[Trial]) -> bool:
    """Whether tonight's total is corrected for season and level: unless that was worse by more than one error.

    The correction has stood its own tests (`level`), so here it is the incumbent. Its opponent is the calendar; the
    loss is the squared logarithm of total predicted over total that followed, one number an evening; at least two
    evenings are needed to speak against it.

    Args:
        trials: of orders.
    """
    changes = []
    for trial in trials:
        if trial.out_of_season is not None and trial.incumbent is not None and trial.actual.any():
            said = np.array([trial.incumbent.sum(), trial.out_of_season.sum()])
            in_season, by_calendar = np.log(said / trial.actual.sum()) ** 2
            changes.append(in_season - by_calendar)
    if len(changes) < 2:
        return True
    return float(np.mean(changes)) <= float(np.std(changes, ddof=1)) / len(changes) ** 0.5


def mean_change(changes: Sequence[FloatArray]) -> tuple[float, float]:
    """D and its standard error by the formula of the module, from the changes of each origin's customers.

    Args:
        changes: of each origin, shape (n_j,), at least one customer each; one origin or more.
    """
    means = np.array([change.mean() for change in changes])
    within = sum(float(change.var()) / change.size for change in changes) / len(changes) ** 2
    between = float(means.var(ddof=1)) / means.size if means.size > 1 else 0.0
    return float(means.mean()), float(np.sqrt(within + between))


def _loss_changes(loss: Loss, trial: Trial, name: str, *, is_levelled: bool) -> FloatArray:
    """Loss less the incumbent's of each customer, shape (n,), as a share of the incumbent's mean loss."""
    if trial.incumbent is None:
        raise ValueError(f"{trial.cutoff} has no incumbent; compare on evenings with one")
    said = [trial.incumbent, trial.predicted[name]]
    if is_levelled:
        said = [one * (trial.actual.sum() / one.sum()) if one.sum() > 0 else one for one in said]
    before, after = (loss(trial.actual, one) for one in said)
    return (after - before) / max(float(before.mean()), np.finfo(np.float64).tiny)
