"""What moves satisfaction, and what cannot be said to.

Belongs here: the regression, its intervals, the importance of drivers. Does not belong here: the facts (the warehouse),
which must have been known before the answer.

Everything follows from sums of products of the facts and the outcome, kept for some hundred groups of customers, so
memory does not grow with answers. The groups are drawn again some hundred times: each draw is fitted anew, which gives
errors that hold where answers of one customer are alike. Effects are ridge coefficients, their intervals hold for all
facts at once (maximum of the t values over the draws), so that among ten facts without effect mostly none is claimed.
Importance is each driver's share of the explained variance, averaged over all orders in which drivers can enter
(Lindeman, Merenda and Gold 1980), beyond what the controls explain. Each column explains something by chance, and a
draw of what was drawn by chance as much again; that is taken off (Ezekiel 1930), or a driver of twenty levels would
seem to matter.

A regression on what happened to happen is no experiment: a driver is a candidate for a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.covariates import NO_COVARIATES, Covariates, is_missing, scaled
from dagster_project.modelling.voice.ngrams import text_hashes

Verdict: TypeAlias = Literal["raises", "lowers", "cannot_say"]
CONTROL = "control"
"""In place of a driver: a fact that is held constant and not judged."""
_LEVEL = 0.95
_PENALTY_GRID = np.logspace(-4, 1, 26)  # times the number of rows; the best by generalised cross-validation is taken
_MOST_DRIVERS = 10  # subsets of more would be too many


@dataclass(frozen=True)
class DriverSettings:
    """How drivers are judged.

    Attributes:
        minimum_answers: below it nothing is said.
        groups: of customers, that are drawn again.
        draws: of the groups.
        seed: of the draws.
    """

    minimum_answers: int = 200
    groups: int = 400
    draws: int = 400
    seed: int = 0


@dataclass(frozen=True)
class Drivers:
    """What was found.

    Attributes:
        effects: one row per fact; see `satisfaction_drivers`.
        importance: one row per driver; none where all of them explain no more than chance.
        r_squared: share of the outcome's variance that facts and controls explain; None where nothing was fitted.
        status: `fitted`, `too_few_answers` or `nothing_varies`.
    """

    effects: pd.DataFrame
    importance: pd.DataFrame
    r_squared: float | None
    status: str


EFFECTS = {
    "driver": "str",
    "fact": "str",
    "count_answers": "int64",
    "mean_fact": "float64",
    "effect_per_unit": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "effect_per_deviation": "float64",
    "verdict": "str",
    "status": "str",
}
IMPORTANCE = {
    "driver": "str",
    "importance_share": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "importance_rank": "int64",
    "leads_share": "float64",
    "r_squared": "float64",
    "status": "str",
}


def satisfaction_drivers(
    answers: pd.DataFrame, driver_of: Mapping[str, str], settings: DriverSettings | None = None
) -> Drivers:
    """Which facts move an outcome, and how much each driver matters; the order of the rows does not matter.

    Args:
        answers: one row per answer: customer_key, outcome (a number, null rows are left out), and the facts.
        driver_of: fact → driver, or `CONTROL`; numbers, truth values or texts, known before the answer.
        settings: draws and gates.

    Returns:
        Effects per fact: driver, fact (`fact=level` for texts), count_answers, mean_fact, effect_per_unit (outcome per
        unit of the fact, other facts equal) with 95 % limits that hold for all facts at once, effect_per_deviation
        (per standard deviation), verdict (`raises`, `lowers`; `cannot_say` where the limits hold zero), status.
        Importance per driver: importance_share of what all drivers explain (0 to 1, sums to 1) with 95 % limits,
        importance_rank, leads_share (of the draws in which the driver came first), r_squared, status.

    Raises:
        ValueError: a column is missing, or there are more than ten drivers.
    """
    settings = settings or DriverSettings()
    rows = _checked(answers, driver_of)
    facts = [fact for fact in driver_of if fact in rows]
    status = "too_few_answers" if len(rows) < settings.minimum_answers else "fitted"
    covariates = scaled(rows[facts]) if status == "fitted" else NO_COVARIATES
    drivers = tuple(
        CONTROL if is_missing(name, origin) else driver_of[origin]  # that a fact is missing is no cause
        for origin, name in zip(covariates.origins, covariates.names, strict=True)
    )
    outcome = rows["outcome"].to_numpy(dtype=np.float64)
    if status == "fitted" and (not set(drivers) - {CONTROL} or np.ptp(outcome) == 0):
        status = "nothing_varies"
    if status != "fitted":
        return Drivers(_empty(EFFECTS), _empty(IMPORTANCE), None, status)
    centre = float(outcome.mean())
    moments = _group_moments(covariates.values, outcome - centre, rows["customer_key"], settings.groups)
    draws = _drawn(moments, settings)
    whole = moments.sum(axis=0)[None]
    penalty = _best_penalty(whole[0])
    found, varied = _effects(whole, penalty)[0], _effects(draws, penalty)
    effects = _effect_rows(rows, covariates, drivers, found, varied)
    importance, r_squared = _importance_rows(drivers, whole, draws)
    return Drivers(effects, importance, r_squared, status)


def _checked(answers: pd.DataFrame, driver_of: Mapping[str, str]) -> pd.DataFrame:
    missing = sorted({"customer_key", "outcome", *driver_of} - set(answers.columns))
    if missing:
        raise ValueError(f"answers lack {', '.join(missing)}; expected customer_key, outcome and every fact")
    judged = set(driver_of.values()) - {CONTROL}
    if len(judged) > _MOST_DRIVERS:
        raise ValueError(f"{len(judged)} drivers; expected at most {_MOST_DRIVERS}: take some together")
    rows = answers[answers["outcome"].notna()]
    return rows.sort_values(["customer_key", "outcome", *driver_of], kind="stable", ignore_index=True)


def _empty(columns: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns)).astype(dict(columns))


def _group_moments(values: FloatArray, outcome: FloatArray, customers: pd.Series, groups: int) -> FloatArray:
    """Sums of products of (1, facts, outcome) by group of customers, shape (groups, columns, columns)."""
    columns = np.column_stack([np.ones(len(values)), values, outcome])
    group = (text_hashes(customers.fillna("").astype("str").tolist()) % np.uint64(groups)).astype(np.int64)
    size = columns.shape[1]
    moments = np.zeros((groups, size, size))
    for left in range(size):
        for right in range(left, size):
            moments[:, left, right] = np.bincount(group, columns[:, left] * columns[:, right], minlength=groups)
            moments[:, right, left] = moments[:, left, right]
    return moments[moments[:, 0, 0] > 0]


def _drawn(moments: FloatArray, settings: DriverSettings) -> FloatArray:
    """Moments of groups drawn with replacement, shape (draws, columns, columns)."""
    rng = np.random.default_rng(settings.seed)
    times = rng.multinomial(len(moments), np.full(len(moments), 1 / len(moments)), size=settings.draws)
    return np.einsum("dg,gij->dij", times.astype(np.float64), moments)


def _centred(moments: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Covariances among facts, of facts with the outcome, and the outcome's variance, per draw."""
    count = moments[:, 0, 0][:, None, None]
    means = moments[:, 0, 1:] / count[:, 0]
    covariance = moments[:, 1:, 1:] / count - means[:, :, None] * means[:, None, :]
    return covariance[:, :-1, :-1], covariance[:, :-1, -1], covariance[:, -1, -1]


def _effects(moments: FloatArray, penalty: float) -> FloatArray:
    """Ridge coefficients per draw, outcome per standard deviation of each column, shape (draws, columns)."""
    among, with_outcome, _ = _centred(moments)
    ridge = penalty * np.eye(among.shape[1])
    return np.asarray(np.linalg.solve(among + ridge, with_outcome[:, :, None])[:, :, 0], dtype=np.float64)


def _best_penalty(moments: FloatArray) -> float:
    """The penalty with the least generalised cross-validation error (Golub, Heath and Wahba 1979)."""
    among, with_outcome, variance = (part[0] for part in _centred(moments[None]))
    count = moments[0, 0]
    sizes, directions = np.linalg.eigh(among)
    sizes, along = np.maximum(sizes, 0), np.einsum("ij,i->j", directions, with_outcome)
    scores = []
    for penalty in _PENALTY_GRID:
        kept = 1 / (sizes + penalty)
        error = variance - 2 * (along**2 * kept).sum() + (along**2 * kept**2 * sizes).sum()
        freedom = 1 - (1 + (sizes * kept).sum()) / count
        scores.append(error / freedom**2 if freedom > 0 else np.inf)
    return float(_PENALTY_GRID[int(np.argmin(np.round(scores, 12)))])


def _effect_rows(
    rows: pd.DataFrame, covariates: Covariates, drivers: tuple[str, ...], found: FloatArray, varied: FloatArray
) -> pd.DataFrame:
    judged = np.array([driver != CONTROL for driver in drivers])
    errors = np.maximum(varied.std(axis=0, ddof=1), 1e-12)
    largest = np.abs((varied - varied.mean(axis=0)) / errors)[:, judged].max(axis=1)
    reach = float(np.quantile(largest, _LEVEL)) * errors
    low, high = found - reach, found + reach
    verdicts = np.select([low > 0, high < 0], ["raises", "lowers"], "cannot_say")
    table = pd.DataFrame(
        {
            "driver": drivers,
            "fact": covariates.names,
            "count_answers": len(rows),
            "mean_fact": covariates.means,
            "effect_per_unit": found / covariates.units,
            "ci_low": low / covariates.units,
            "ci_high": high / covariates.units,
            "effect_per_deviation": found,
            "verdict": verdicts,
            "status": "fitted",
        }
    )
    return _rounded(table[judged].reset_index(drop=True), EFFECTS)


def _importance_rows(
    drivers: tuple[str, ...], whole: FloatArray, draws: FloatArray
) -> tuple[pd.DataFrame, float | None]:
    """A row per driver, and the variance that drivers and controls explain; no row where drivers explain nothing."""
    names = sorted(set(drivers) - {CONTROL})
    columns = [[place for place, driver in enumerate(drivers) if driver == name] for name in names]
    controls = [place for place, driver in enumerate(drivers) if driver == CONTROL]
    r_squared = round(float(_explained(whole, list(range(len(drivers))), chance=0)[0]), 6)
    shares = _importance(whole, controls, columns, chance=1)
    if not shares.any():
        return _empty(IMPORTANCE), r_squared
    varied = _importance(draws, controls, columns, chance=2)
    leads = np.bincount(varied[varied.any(axis=1)].argmax(axis=1), minlength=len(names)) / len(varied)
    low, high = np.quantile(varied, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    table = pd.DataFrame(
        {
            "driver": names,
            "importance_share": shares[0],
            "ci_low": low,
            "ci_high": high,
            "leads_share": leads,
            "r_squared": r_squared,
            "status": "fitted",
        }
    )
    table = table.sort_values(["importance_share", "driver"], ascending=[False, True], ignore_index=True)
    return _rounded(table.assign(importance_rank=np.arange(1, len(names) + 1)), IMPORTANCE), r_squared


def _importance(moments: FloatArray, controls: list[int], columns: list[list[int]], chance: int) -> FloatArray:
    """Shares of the explained variance per draw and driver, see Gromping (2007) on LMG; zeros where none is explained.

    Args:
        moments: per draw.
        controls: places of their columns.
        columns: places of each driver's columns.
        chance: how many times the outcome was drawn by chance: once, and twice where it was drawn again.
    """
    count = len(columns)
    worth = {
        chosen: _explained(
            moments, sorted(controls + [place for driver in chosen for place in columns[driver]]), chance
        )
        for size in range(count + 1)
        for chosen in combinations(range(count), size)
    }
    parts = np.zeros((len(moments), count))
    for driver in range(count):
        for chosen, value in worth.items():
            if driver not in chosen:
                weight = factorial(len(chosen)) * factorial(count - len(chosen) - 1) / factorial(count)
                parts[:, driver] += weight * (worth[tuple(sorted((*chosen, driver)))] - value)
    parts = np.maximum(parts, 0)
    return parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-12)


def _explained(moments: FloatArray, places: list[int], chance: int) -> FloatArray:
    """The R squared of some columns per draw, less what so many explain by chance (Ezekiel 1930), as often as asked."""
    if not places:
        return np.zeros(len(moments))
    among, with_outcome, variance = _centred(moments)
    square = among[:, places][:, :, places] + 1e-9 * np.eye(len(places))
    right = with_outcome[:, places]
    found = (np.linalg.solve(square, right[:, :, None])[:, :, 0] * right).sum(axis=1) / variance
    freedom = np.maximum(moments[:, 0, 0] - len(places) - 1, 1)
    return np.asarray(found - chance * (1 - found) * len(places) / freedom, dtype=np.float64)


def _rounded(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    return table[list(columns)].astype(dict(columns)).round(6)
