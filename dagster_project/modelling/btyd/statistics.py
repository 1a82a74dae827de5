"""What a likelihood reads of a million histories: a few tables, and one row per history that is not like the others.

Belongs here: the reduction of checked histories to rows over tables of counts and of times, and a sample of it. Not
here: the check itself (`histories.py`), and what a model makes of a row.

Customers with no repeat purchase differ in T alone: they become one row per T with a count. Special functions depend
on x alone, logarithms on a time alone: rows carry positions in tables, so that either is taken once per entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray, IntArray, checked_customers, surveyed_histories

LARGEST_TABLE = 1 << 20
"""Whole numbers below this index their table themselves, 8 MB at most; others are sorted to make one."""


@dataclass(frozen=True)
class Statistics:
    """Histories as rows over tables.

    Attributes:
        x: repeat purchases, the table, 0 first, shape (levels,).
        customers_of_x: customers per entry of x, shape (levels,); may be 0.
        time: times, the table, 0 first, shape (times,).
        customers_of_age: customers per entry of time whose T it is, shape (times,).
        repeats_of_age: their repeat purchases, shape (times,).
        row_x: position in x of each row, shape (rows,).
        row_last: position in time of each row's t_x, shape (rows,).
        row_age: position in time of each row's T, shape (rows,).
        row_customers: customers of each row, shape (rows,).
        count_once_rows: leading rows that are customers without a repeat purchase.
    """

    x: FloatArray
    customers_of_x: FloatArray
    time: FloatArray
    customers_of_age: FloatArray
    repeats_of_age: FloatArray
    row_x: IntArray
    row_last: IntArray
    row_age: IntArray
    row_customers: FloatArray
    count_once_rows: int

    @classmethod
    def of(
        cls,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
    ) -> Self:
        """Histories as rows over tables.

        Args:
            count_repeats: x, any shape, whole numbers from 0.
            time_to_last: t_x, same shape, 0 exactly where x is 0.
            time_observed: T, same shape, at least t_x.
            count_customers: customers that share each history, same shape, above 0; one each where absent.

        Raises:
            ValueError: a history or a count is impossible.
        """
        from dagster_project.modelling import history_loops

        x, t_x, age, survey = surveyed_histories(count_repeats, time_to_last, time_observed)
        x, t_x, age = x.ravel(), t_x.ravel(), age.ravel()
        x_table, (x_code,) = _table(survey.largest_x if survey.largest_x < LARGEST_TABLE else None, x)
        is_table = survey.are_times_whole and survey.largest_age < LARGEST_TABLE
        time, (last_code, age_code) = _table(survey.largest_age if is_table else None, t_x, age)
        customers = checked_customers(count_customers, x.size)
        of_x, of_age, repeats_of_age, once_of_age, row_x, row_last, row_age, row_customers = history_loops.collapse(
            x_code, last_code, age_code, customers, x_table, time.size
        )
        once = np.flatnonzero(once_of_age).astype(np.int32)
        none = np.zeros_like(once)
        return cls(
            x=x_table,
            customers_of_x=of_x,
            time=time,
            customers_of_age=of_age,
            repeats_of_age=repeats_of_age,
            row_x=np.concatenate((none, row_x)),
            row_last=np.concatenate((none, row_last)),
            row_age=np.concatenate((once, row_age)),
            row_customers=np.concatenate((once_of_age[once], row_customers)),
            count_once_rows=once.size,
        )

    @cached_property
    def levels(self) -> tuple[FloatArray, FloatArray]:
        """The entries of x that somebody has, and their customers: few, though one may have bought 10,000 times."""
        is_held = self.customers_of_x > 0
        return self.x[is_held], self.customers_of_x[is_held]

    @property
    def longest_age(self) -> float:
        """The longest time observed; 0 where nobody was."""
        return float(self.time[self.row_age].max(initial=0.0))

    @property
    def count_customers(self) -> float:
        """Customers in all."""
        return float(self.customers_of_x.sum())

    @property
    def total_repeats(self) -> float:
        """Repeat purchases in all."""
        return float(self.customers_of_x @ self.x)

    @property
    def total_age(self) -> float:
        """Time observed in all."""
        return float(self.customers_of_age @ self.time)

    @property
    def total_last(self) -> float:
        """Time from first to last purchase in all."""
        return float(self.row_customers @ self.time[self.row_last])

    def in_unit(self, unit: float) -> Statistics:
        """The same histories with times in another unit.

        Args:
            unit: the other unit in this one's, above 0.
        """
        return replace(self, time=self.time / unit)

    def sample(self, count_rows: int) -> Statistics | None:
        """Every so many-th row of the repeat buyers, all others in proportion; None where there are too few rows.

        Args:
            count_rows: rows of repeat buyers wanted; the sample has up to twice as many.
        """
        stride = (self.row_x.size - self.count_once_rows) // count_rows
        if stride < 2:
            return None
        kept = np.r_[: self.count_once_rows, self.count_once_rows : self.row_x.size : stride]
        row_x, row_age, row_customers = self.row_x[kept], self.row_age[kept], self.row_customers[kept]
        row_customers[: self.count_once_rows] /= stride
        return Statistics(
            self.x,
            _sums(row_x, row_customers, self.x.size),
            self.time,
            _sums(row_age, row_customers, self.time.size),
            _sums(row_age, row_customers * self.x[row_x], self.time.size),
            row_x,
            self.row_last[kept],
            row_age,
            row_customers,
            self.count_once_rows,
        )


def _table(largest: float | None, *columns: FloatArray) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    """A table of all numbers in the columns, 0 first, and each column as positions in it.

    Whole numbers, whose largest is given, are their own positions.
    """
    if largest is not None:
        return np.arange(largest + 1), columns
    table = np.unique(np.concatenate((*columns, [0.0])))
    return table, tuple(np.searchsorted(table, column).astype(np.float64) for column in columns)


def _sums(position: IntArray, weights: FloatArray, size: int) -> FloatArray:
    """The weights summed by position, shape (size,)."""
    return np.asarray(np.bincount(position, weights=weights, minlength=size), dtype=np.float64)
