"""Facts about customers as columns of numbers that a regression can take.

Belongs here: scaling, missing values, levels, groups. Does not belong here: what is regressed on them
(`nonresponse.py`, `drivers.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from dagster_project.modelling.histories import FloatArray

_MISSING = "_is_missing"
"""Ends the name of a column that says where a number is missing."""
_MISSING_LEVEL = "missing"
_RARE_LEVEL_SHARE = 0.02
"""Levels of fewer rows are taken together: their own coefficient would rest on next to nothing."""
_EXTREME_SHARES = (0.01, 0.99)
"""Numbers beyond these quantiles are drawn in: one wholesaler must not bend a line."""


@dataclass(frozen=True)
class Covariates:
    """A matrix of covariates.

    Attributes:
        values: shape (rows, columns); each column has mean 0 and standard deviation 1.
        names: of the columns.
        origins: the fact that each column was made from.
        units: standard deviation of each column before it was scaled, in the fact's own unit.
        means: of each column before it was scaled; a share for a level.
    """

    values: FloatArray
    names: tuple[str, ...]
    origins: tuple[str, ...]
    units: FloatArray
    means: FloatArray


NO_COVARIATES = Covariates(np.zeros((0, 0)), (), (), np.zeros(0), np.zeros(0))


def is_missing(name: str, fact: str) -> bool:
    """Whether a column of a fact only says where the fact is missing."""
    return name in {f"{fact}{_MISSING}", f"{fact}={_MISSING_LEVEL}"}


def scaled(facts: pd.DataFrame, *, has_curves: bool = False, draws_in: bool = True) -> Covariates:
    """Numbers scaled, with a column for "missing" where some are; texts and truth values as a column per level.

    Args:
        facts: one row per unit, one column per fact; numbers, truth values or texts. Missing texts are a level.
        has_curves: whether a number enters as logarithm and the logarithm's square, so that a curve can be followed.
        draws_in: whether numbers are drawn in to their 1st and 99th percentiles.

    Returns:
        Columns in the order of the facts; a fact that is the same everywhere has none, nor has what repeats another.
    """
    made: list[tuple[str, str, FloatArray]] = []
    for fact in facts.columns:
        column = facts[fact]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            made += [(name, fact, values) for name, values in _number(fact, column, has_curves, draws_in)]
        else:
            made += [(name, fact, values) for name, values in _levels(fact, column)]
    kept: list[tuple[str, str, FloatArray]] = []
    for name, fact, values in made:
        is_told = len(values) and np.ptp(values) > 0
        if is_told and not any(np.array_equal(values, other) for _, _, other in kept):
            kept.append((name, fact, values))
    if not kept:
        return replace(NO_COVARIATES, values=np.zeros((len(facts), 0)))
    values = np.column_stack([values for _, _, values in kept])
    units, means = values.std(axis=0), values.mean(axis=0)
    return Covariates((values - means) / units, tuple(k[0] for k in kept), tuple(k[1] for k in kept), units, means)


def banded(column: pd.Series, count_bands: int) -> npt.NDArray[np.int64]:
    """A band per row, equal values together; missing values are a band of their own, the last.

    Args:
        column: numbers, truth values or texts.
        count_bands: of numbers, as near to equal counts as ties allow.
    """
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return pd.factorize(column.astype("str"), sort=True, use_na_sentinel=False)[0].astype(np.int64)
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    present = ~np.isnan(values)
    inner = np.linspace(0, 1, count_bands + 1)[1:-1]
    edges = np.unique(np.quantile(values[present], inner)) if present.any() else np.zeros(0)
    return np.where(present, np.searchsorted(edges, values, side="left"), len(edges) + 1).astype(np.int64)


def _number(fact: str, column: pd.Series, has_curves: bool, draws_in: bool) -> Sequence[tuple[str, FloatArray]]:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    is_missing = np.isnan(values)
    if is_missing.all():
        return []
    known = values[~is_missing]
    if draws_in:
        values = np.clip(values, *np.quantile(known, _EXTREME_SHARES))
    if has_curves:
        values = np.sign(values) * np.log1p(np.abs(values))
    centre = float(values[~is_missing].mean())
    values = np.where(is_missing, centre, values)
    columns = [(fact, values)]
    if has_curves:
        columns.append((f"{fact}_squared", (values - centre) ** 2))
    if is_missing.any():
        columns.append((f"{fact}{_MISSING}", is_missing.astype(np.float64)))
    return columns


def _levels(fact: str, column: pd.Series) -> Sequence[tuple[str, FloatArray]]:
    """A column per level but the commonest; rare levels are one."""
    levels = column.astype("str").fillna(_MISSING_LEVEL)
    shares = levels.value_counts(normalize=True)
    levels = levels.where(levels.map(shares) >= _RARE_LEVEL_SHARE, "rare")
    ranked = sorted(levels.value_counts().items(), key=lambda found: (-found[1], str(found[0])))
    if pd.api.types.is_bool_dtype(column):
        ranked = [("False", 0), *(found for found in ranked if found[0] != "False")]
    return [(f"{fact}={level}", np.asarray(levels == level, dtype=np.float64)) for level, _ in ranked[1:]]
