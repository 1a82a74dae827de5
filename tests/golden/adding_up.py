"""From rows to figures: sums above and below the line by group, the value, and the interval of the field's formulas.

Rows have y above the line and x below it, both in ten-thousandths, so that sums are exact. A way to tell takes rows and
the number of the group that each is in, and gives arrays by group.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from tidy_shops import PARTS

Figures: TypeAlias = dict[str, NDArray[np.float64]]
Tell: TypeAlias = Callable[[pd.DataFrame, NDArray[np.int64], int], Figures]

Z = float(stats.norm.ppf(0.975))


def summed(values: pd.Series | NDArray[np.float64], groups: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Sums by group; of whole numbers below 2^53 they are exact."""
    return np.bincount(groups, np.asarray(values, dtype=float), count)


def plain(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """One sum divided by another, without an interval."""
    above, below = summed(rows["y"], groups, count), summed(rows["x"], groups, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(below > 0, above / below, np.nan)
    return {"numerator": above, "denominator": below, "value": value} | {
        bound: np.full(count, np.nan) for bound in ("low", "high")
    }


def wilson(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """A share with the interval of Wilson (1927); none where more stand above the line than below it."""
    told = plain(rows, groups, count)
    low, high = wilson_bounds(told["numerator"] / PARTS, told["denominator"] / PARTS)
    is_share = told["numerator"] <= told["denominator"]
    return told | {"low": np.where(is_share, low, np.nan), "high": np.where(is_share, high, np.nan)}


def wilson_bounds(k: NDArray[np.float64], n: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two shares p for which k is z standard errors off: roots of (k/n - p)² = z² p (1 - p) / n."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b, c = 1 + Z**2 / n, -(2 * k / n + Z**2 / n), (k / n) ** 2
        root = np.sqrt(np.maximum(b**2 - 4 * a * c, 0))
        return (-b - root) / (2 * a), (-b + root) / (2 * a)


def odds(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """How many of the one sort there are for each of the other, bounded by Wilson's bounds of their share."""
    told = plain(rows, groups, count)
    above, below = told["numerator"] / PARTS, told["denominator"] / PARTS
    low, high = wilson_bounds(above, above + below)
    return told | {"low": low / (1 - low), "high": high / (1 - high)}


def ratio(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """A ratio of sums over independent rows: the mean square of y - r x over n - 1 (Cochran 1977, 6.13)."""
    return linearised(rows, groups, count, np.bincount(groups, minlength=count).astype(float))


def mean(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """A mean over the rows that have something below the line, with the standard error of a mean."""
    return linearised(rows, groups, count, summed(rows["x"] > 0, groups, count))


def linearised(rows: pd.DataFrame, groups: NDArray[np.int64], count: int, n: NDArray[np.float64]) -> Figures:
    """A ratio with the interval of n rows."""
    told = plain(rows, groups, count)
    left = np.asarray(rows["y"], float) - np.nan_to_num(told["value"])[groups] * np.asarray(rows["x"], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(summed(left**2, groups, count) * n / (n - 1)) / told["denominator"]
    error = np.where(n >= 2, error, np.nan)
    return told | {"low": told["value"] - Z * error, "high": told["value"] + Z * error}


def over_months(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """The coefficient of variation of the sums of months; a month that brought a group nothing counts as zero."""
    months = rows["month"].cat.codes.to_numpy()
    width = len(rows["month"].cat.categories)
    inside = months >= 0
    table = np.zeros((count, width))
    np.add.at(table, (groups[inside], months[inside]), rows["y"].to_numpy(float)[inside])
    told = plain(rows.assign(x=0), groups, count)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(table.sum(axis=1) > 0, table.std(axis=1, ddof=1) / table.mean(axis=1), np.nan)
    return told | {
        "numerator": table.sum(axis=1), "denominator": np.full(count, float(width * PARTS)), "value": value
    }  # fmt: skip


def median_open(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """When half of what began has closed, by Kaplan and Meier as SciPy counts it, with its log-log bounds."""
    told = plain(rows, groups, count)
    for group, own in rows.groupby(groups):
        closed = own["y"] > 0
        sample = stats.CensoredData(
            uncensored=own["length"][closed].to_numpy(), right=own["length"][~closed].to_numpy()
        )
        open_share = stats.ecdf(sample).sf
        if not closed.any():
            told["value"][group] = np.nan
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # where nothing has closed yet there is no bound
            bounds = open_share.confidence_interval(0.95, method="log-log")
        for name, curve in {"value": open_share, "low": bounds.low, "high": bounds.high}.items():
            known = np.where(open_share.probabilities == 0, 0, np.nan_to_num(curve.probabilities, nan=1))
            reached = known <= 0.5 + 1e-12
            told[name][group] = curve.quantiles[np.argmax(reached)] if reached.any() else np.nan
    return told


def beside_others(rows: pd.DataFrame, groups: NDArray[np.int64], count: int) -> Figures:
    """By how much a share changed for some beside its change for others: least squares on both and their product.

    Errors are by customer (Liang and Zeger 1986), over customers less one. Below the line stand the customers of whom
    the change is told, above it what it comes to for them.

    Args:
        rows: customer, is_back (the outcome), is_risen (those of whom it is told), is_after.
        groups: not looked at.
        count: 1, as this is told for the whole.
    """
    assert count == 1
    both = rows["is_risen"] & rows["is_after"]
    design = np.column_stack([np.ones(len(rows)), rows["is_risen"], rows["is_after"], both]).astype(float)
    outcome = rows["is_back"].to_numpy(float)
    inverse = np.linalg.inv(design.T @ design)
    effects = inverse @ design.T @ outcome
    parts = pd.DataFrame(design * (outcome - design @ effects)[:, None]).groupby(rows["customer"].to_numpy()).sum()
    spread = inverse @ parts.T.to_numpy() @ parts.to_numpy() @ inverse * len(parts) / (len(parts) - 1)
    change, error, told = effects[3], np.sqrt(spread[3, 3]), rows.loc[both, "customer"].nunique()
    figures = {"numerator": np.rint(change * told * PARTS), "denominator": told * PARTS, "value": change}
    return {
        name: np.array([figure], float)
        for name, figure in {**figures, "low": change - Z * error, "high": change + Z * error}.items()
    }


def add_up(rows: pd.DataFrame, parts: pd.Categorical, tell: Tell, scale: float) -> pd.DataFrame:
    """The figures of each period and part.

    Args:
        rows: with `place`, the number of the period, y, x, and perhaps `open`: what is not over yet.
        parts: of each row the part of the shop that it is in.
        tell: how figures come from rows.
        scale: what values and bounds are multiplied by.

    Returns:
        One row per period and part that has a value: place, segment, numerator and denominator in ten-thousandths,
        value, low, high, is_over.
    """
    codes = rows["place"].to_numpy(np.int64) * len(parts.categories) + parts.codes
    found, groups = np.unique(codes, return_inverse=True)
    table = pd.DataFrame(tell(rows, groups, len(found)))
    table[["value", "low", "high"]] *= scale
    table.insert(0, "place", found // len(parts.categories))
    table.insert(1, "segment", parts.categories.to_numpy()[found % len(parts.categories)])
    table["is_over"] = summed(rows["open"], groups, len(found)) == 0 if "open" in rows else True
    return table.dropna(subset="value")
