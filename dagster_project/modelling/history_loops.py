"""Passes over all histories: the check, the collapse to rows, the distinct pairs.

Belongs here: loops over customers that no model is needed for. Import it where it is used (see `compiled.py`).
"""

from __future__ import annotations

import math

import numpy as np

from dagster_project.modelling.compiled import compiled
from dagster_project.modelling.histories import FloatArray, IntArray


@compiled
def survey(x: FloatArray, t_x: FloatArray, age: FloatArray) -> tuple[int, float, float, bool]:
    """What is true of all histories, in one pass.

    Args:
        x: repeat purchases, shape (n,).
        t_x: time from first to last purchase, shape (n,).
        age: time observed, shape (n,).

    Returns:
        How many are possible, the largest x, the largest T, and whether all times are whole. An impossible history
        makes the first less than n, and the rest meaningless.
    """
    possible, largest_x, largest_age, fractions = 0, 0.0, 0.0, 0
    for i in range(x.size):
        count, last, seen = x[i], t_x[i], age[i]
        is_possible = (count >= 0) & (count == math.floor(count)) & (last >= 0) & (last <= seen)
        is_possible &= (seen < np.inf) & (count < np.inf) & ((count == 0) == (last == 0))
        possible += is_possible
        largest_x, largest_age = max(largest_x, count), max(largest_age, seen)
        fractions += (last != math.floor(last)) | (seen != math.floor(seen))
    return possible, largest_x, largest_age, fractions == 0


@compiled
def collapse(
    x_code: FloatArray,
    last_code: FloatArray,
    age_code: FloatArray,
    customers: FloatArray,
    x_table: FloatArray,
    count_times: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray, IntArray, IntArray, FloatArray]:
    """Histories as rows over tables; those without a repeat purchase only as counts per T.

    Args:
        x_code: position in x_table, shape (n,); entry 0 of the table is x = 0.
        last_code: position of t_x in the table of times, shape (n,).
        age_code: position of T in the table of times, shape (n,).
        customers: customers that share each history, shape (n,), or (0,) for one each.
        x_table: repeat purchases, shape (levels,).
        count_times: entries of the table of times.

    Returns:
        Customers per x; customers per T; their repeat purchases per T; customers without one per T; and of the
        histories with a repeat purchase the three positions and the customers, in their order.
    """
    of_x = np.zeros(x_table.size)
    of_age, repeats_of_age, once_of_age = np.zeros(count_times), np.zeros(count_times), np.zeros(count_times)
    is_weighted = customers.size > 0
    rows = 0
    for i in range(x_code.size):
        rows += x_code[i] > 0
    row_x, row_last = np.empty(rows, np.int32), np.empty(rows, np.int32)
    row_age, row_customers = np.empty(rows, np.int32), np.empty(rows)
    row = 0
    for i in range(x_code.size):
        level, time = np.int32(x_code[i]), np.int32(age_code[i])
        count = customers[i] if is_weighted else 1.0
        of_x[level] += count
        of_age[time] += count
        if level == 0:
            once_of_age[time] += count
        else:
            repeats_of_age[time] += count * x_table[level]
            row_x[row], row_last[row], row_age[row] = level, np.int32(last_code[i]), time
            row_customers[row] = count
            row += 1
    return of_x, of_age, repeats_of_age, once_of_age, row_x, row_last, row_age, row_customers


@compiled
def distinct_whole_pairs(x: FloatArray, age: FloatArray, count_x: int, count_ages: int) -> tuple[IntArray, IntArray]:
    """The distinct pairs of whole numbers, by a table of all that could be.

    Args:
        x: from 0 to below count_x, shape (n,).
        age: from 0 to below count_ages, shape (n,).
        count_x: first side of the table.
        count_ages: second side of the table.

    Returns:
        Position of each distinct pair in the table of all, x first, rising, shape (k,); and of each row among the
        distinct ones, shape (n,).
    """
    order = np.full(count_x * count_ages, -1, np.int32)
    row_of = np.empty(x.size, np.int32)
    for i in range(x.size):
        place = np.int32(x[i]) * count_ages + np.int32(age[i])
        order[place] = 0
        row_of[i] = place
    pairs = np.flatnonzero(order == 0).astype(np.int32)
    for k in range(pairs.size):
        order[pairs[k]] = k
    for i in range(x.size):
        row_of[i] = order[row_of[i]]
    return pairs, row_of
