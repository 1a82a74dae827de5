"""One evaluation per distinct pair of a count and a time, spread over all customers.

Belongs here: predictions that depend on (x, T) and the horizon only, which a million customers share some thousand
values of. What is evaluated: the models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from dagster_project.modelling.btyd.statistics import LARGEST_TABLE
from dagster_project.modelling.histories import FloatArray, IntArray

OfPair: TypeAlias = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def over_distinct_pairs(function: OfPair, x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
    """function(x, age, ahead) in the broadcast shape, evaluated once per distinct (x, age) and distinct horizon.

    Args:
        function: of three arrays that broadcast, elementwise.
        x: counts, any shape.
        age: times, same shape.
        ahead: horizons; broadcasts against the others.
    """
    horizons, horizon_of = np.unique(ahead, return_inverse=True)
    if x.size == 0 or (horizons.size > 1 and x.size * horizons.size > 4 * np.broadcast(x, ahead).size):
        return function(x, age, ahead)
    x_distinct, age_distinct, row_of = _distinct_pairs(x.ravel(), age.ravel())
    table = function(x_distinct[:, None], age_distinct[:, None], horizons)
    if horizons.size == 1:
        return np.broadcast_to(table[row_of, 0].reshape(x.shape), np.broadcast_shapes(x.shape, ahead.shape)).copy()
    return np.asarray(table[row_of.reshape(x.shape), horizon_of.reshape(ahead.shape)])


def _distinct_pairs(x: FloatArray, age: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """The distinct pairs of two columns, and the pair of each row."""
    from dagster_project.modelling import history_loops

    count_ages = float(age.max()) + 1
    if float(x.max() + 1) * count_ages <= LARGEST_TABLE and (age == np.floor(age)).all():
        pairs, row_of = history_loops.distinct_whole_pairs(x, age, int(x.max()) + 1, int(count_ages))
        return (pairs // int(count_ages)).astype(np.float64), (pairs % int(count_ages)).astype(np.float64), row_of
    order = np.lexsort((age, x))
    is_start = np.ones(x.size, dtype=np.bool_)
    is_start[1:] = (np.diff(x[order]) != 0) | (np.diff(age[order]) != 0)
    row_of = np.empty(x.size, dtype=np.int32)
    row_of[order] = np.cumsum(is_start) - 1
    first = order[is_start]
    return x[first], age[first], row_of
