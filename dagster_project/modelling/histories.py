"""The three columns of a buying history: checked at the door, and reduced to the distinct ones.

Belongs here: what is true of any (x, t_x, T) whatever the model. How they come from orders: `purchase_history.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Histories:
    """Distinct histories, in the order of (x, t_x, T).

    Attributes:
        x: repeat purchases, shape (k,).
        t_x: time from first to last purchase, shape (k,).
        age: time from first purchase to the end of observation (T), shape (k,).
        count: customers that share the history, shape (k,).
        row_of: the row of each customer, shape (n,).
    """

    x: FloatArray
    t_x: FloatArray
    age: FloatArray
    count: FloatArray
    row_of: npt.NDArray[np.intp]


def checked_histories(
    count_repeats: npt.ArrayLike, time_to_last: npt.ArrayLike, time_observed: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The three columns as floats.

    Args:
        count_repeats: x, any shape, whole numbers from 0.
        time_to_last: t_x, same shape, 0 exactly where x is 0.
        time_observed: T, same shape, at least t_x.

    Raises:
        ValueError: a history is impossible; the message names the first and the rule that it breaks.
    """
    x, t_x, age, _ = surveyed_histories(count_repeats, time_to_last, time_observed)
    return x, t_x, age


@dataclass(frozen=True)
class Survey:
    """What is true of all histories together.

    Attributes:
        largest_x: largest count of repeat purchases, 0 where there is no history.
        largest_age: longest time observed, 0 where there is no history.
        are_times_whole: whether every time is a whole number.
    """

    largest_x: float
    largest_age: float
    are_times_whole: bool


def surveyed_histories(
    count_repeats: npt.ArrayLike, time_to_last: npt.ArrayLike, time_observed: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray, Survey]:
    """The three columns as floats, and what is true of them all.

    Args:
        count_repeats: as in `checked_histories`.
        time_to_last: as in `checked_histories`.
        time_observed: as in `checked_histories`.

    Raises:
        ValueError: a history is impossible; the message names the first and the rule that it breaks.
    """
    from dagster_project.modelling.history_loops import survey

    x, t_x, age = (np.asarray(column, dtype=np.float64) for column in (count_repeats, time_to_last, time_observed))
    if not x.shape == t_x.shape == age.shape:
        raise ValueError(f"histories have shapes {x.shape}, {t_x.shape} and {age.shape}; expected one shape")
    count_possible, largest_x, largest_age, are_times_whole = survey(x.ravel(), t_x.ravel(), age.ravel())
    if count_possible < x.size:
        raise ValueError(_first_broken_rule(x, t_x, age))
    return x, t_x, age, Survey(largest_x, largest_age, are_times_whole)


def _first_broken_rule(x: FloatArray, t_x: FloatArray, age: FloatArray) -> str:
    """Which history is impossible, and why."""
    rules = {
        "every number finite": np.isfinite(x) & np.isfinite(t_x) & np.isfinite(age),
        "count_repeats a whole number from 0": (x >= 0) & (x == np.floor(x)),
        "0 <= time_to_last <= time_observed": (t_x >= 0) & (t_x <= age),
        "time_to_last 0 exactly where count_repeats is 0": (x == 0) == (t_x == 0),
    }
    rule, holds = next((rule, holds) for rule, holds in rules.items() if not holds.all())
    first = int(np.argmin(holds))
    return (
        f"history {first} has count_repeats={x.flat[first]:g}, time_to_last={t_x.flat[first]:g}, "
        f"time_observed={age.flat[first]:g}; expected {rule}: build histories with purchase_history()"
    )


def checked_customers(count_customers: npt.ArrayLike | None, count_histories: int) -> FloatArray:
    """Customers per history as floats, shape (n,), or shape (0,) for one each.

    Args:
        count_customers: customers that share each history, n in all, finite and above 0; None for one each.
        count_histories: n.

    Raises:
        ValueError: there are not n of them, or one is not finite and above 0.
    """
    if count_customers is None:
        return np.zeros(0)
    counts = np.ravel(np.asarray(count_customers, dtype=np.float64))
    if counts.size != count_histories:
        raise ValueError(f"count_customers has {counts.size} entries; expected one for each of {count_histories} rows")
    is_possible = (counts > 0) & np.isfinite(counts)
    if not is_possible.all():
        first = int(np.argmin(is_possible))
        raise ValueError(f"row {first} stands for {counts[first]:g} customers; expected a finite number above 0")
    return counts


def checked_horizon(horizon: npt.ArrayLike) -> FloatArray:
    """The horizon as floats.

    Args:
        horizon: times ahead, any shape, finite and at least 0.

    Raises:
        ValueError: a time is negative or not finite.
    """
    ahead = np.asarray(horizon, dtype=np.float64)
    if not (np.isfinite(ahead) & (ahead >= 0)).all():
        raise ValueError(f"horizon is {ahead}; expected finite times from 0, in the unit of the fit")
    return ahead


def distinct_histories(x: FloatArray, t_x: FloatArray, age: FloatArray) -> Histories:
    """Distinct histories with their counts: neither a likelihood nor a prediction needs more.

    Args:
        x: repeat purchases, shape (n,).
        t_x: time from first to last purchase, shape (n,).
        age: time observed, shape (n,).
    """
    order = np.lexsort((age, t_x, x))
    rows = np.stack((x[order], t_x[order], age[order]))
    is_start = np.ones(x.size, dtype=np.bool_)
    is_start[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
    row_of = np.empty(x.size, dtype=np.intp)
    row_of[order] = np.cumsum(is_start) - 1
    count = np.bincount(row_of, minlength=int(is_start.sum())).astype(np.float64)
    return Histories(rows[0, is_start], rows[1, is_start], rows[2, is_start], count, row_of)
