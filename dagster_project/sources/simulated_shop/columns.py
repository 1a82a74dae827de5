"""From drawn numbers to columns of a feed, without a Python loop.

Belongs here: ids, money, times, dates and labels as typed Arrow arrays, and what a topic hands over. Does not belong
here: which column a feed has (`feeds.py`), how arrays become bytes (`writer.py`).

Every function takes `present`, a mask of the entries that are not null; None for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.streams import Bools, Ints

Columns: TypeAlias = Mapping[str, pa.Array]
MONEY = pa.decimal128(12, 2)
HAPPENED = "_happened"
"""A column that is written nowhere: the second by which rows are sorted, where their feed has no time of its own."""
_ACCOUNT_DIGITS, _ACCOUNT_STEP = 8, 58_417_933  # the step has no factor of 10, so that it visits every number once


@dataclass(frozen=True)
class Drawn:
    """What a topic makes of a block: rows of feeds, and rows of truth, by table name."""

    feeds: Mapping[str, Columns] = field(default_factory=dict)
    truth: Mapping[str, Columns] = field(default_factory=dict)


def ids(prefix: str, numbers: Ints, width: int, present: Bools | None = None) -> pa.Array:
    """Texts like `o0000000012`: a prefix, and the number in so many digits.

    Args:
        prefix: ASCII letters.
        numbers: shape (n,), from 0; what does not fit loses its first digits.
        width: digits.
        present: which are not null, shape (n,).
    """
    count, letters = len(numbers), np.frombuffer(prefix.encode("ascii"), dtype=np.uint8)
    text = np.empty((count, len(letters) + width), dtype=np.uint8)
    text[:, : len(letters)] = letters
    rest = np.where(present, numbers, 0) if present is not None else np.array(numbers)
    for position in range(len(letters) + width - 1, len(letters) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, position] = digit + ord("0")
    offsets = np.arange(count + 1, dtype=np.int32) * text.shape[1]
    made = pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    return _with_nulls(made, present)


def customer_ids(person_number: Ints, account: Ints, present: Bools | None = None) -> pa.Array:
    """The id of a person's first (0) or second (1) account; it shows neither the person nor the order of arrival."""
    scattered = (2 * person_number + account) * _ACCOUNT_STEP % 10**_ACCOUNT_DIGITS
    return ids("c", scattered, _ACCOUNT_DIGITS, present)


def order_ids(order_number: Ints, present: Bools | None = None) -> pa.Array:
    """The id of an order, from `Purchases.number`."""
    return ids("o", order_number, 10, present)


def person_ids(person_number: Ints) -> pa.Array:
    """The id of a real person, which only the truth knows."""
    return ids("person", person_number, 7)


def money(cents: Ints, present: Bools | None = None) -> pa.Array:
    """Whole cents as amounts with two decimals."""
    return decimals(cents, MONEY, present)


def decimals(units: Ints, decimal: pa.Decimal128Type, present: Bools | None = None) -> pa.Array:
    """Whole units of a decimal type's last place as decimals."""
    halves = np.empty((len(units), 2), dtype="<i8")
    halves[:, 0] = units if present is None else np.where(present, units, 0)
    halves[:, 1] = halves[:, 0] >> 63
    return _with_nulls(pa.Array.from_buffers(decimal, len(units), [None, pa.py_buffer(halves)]), present)


def times(calendar: Calendar, second: Ints, present: Bools | None = None) -> pa.Array:
    """Local times at seconds from the first day's midnight."""
    counted = second if present is None else np.where(present, second, 0)
    return pa.array(calendar.moments(counted).astype("datetime64[us]"), mask=_absent(present))


def dates(calendar: Calendar, day: Ints, present: Bools | None = None) -> pa.Array:
    """Dates of days counted from the first day; any day, before it too."""
    counted = day if present is None else np.where(present, day, 0)
    return pa.array(calendar.days[0] + counted.astype("timedelta64[D]"), mask=_absent(present))


def labels(names: Sequence[str], positions: npt.NDArray[np.integer], present: Bools | None = None) -> pa.Array:
    """The names at these positions."""
    codes = positions if present is None else np.where(present, positions, 0)
    indices = pa.array(codes.astype(np.int32), mask=_absent(present))
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(names), pa.string())).dictionary_decode()


def _with_nulls(made: pa.Array, present: Bools | None) -> pa.Array:
    if present is None or bool(np.all(present)):
        return made
    validity = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(made.type, len(made), [validity, *made.buffers()[1:]])


def _absent(present: Bools | None) -> Bools | None:
    return None if present is None else ~np.asarray(present, dtype=np.bool_)


ShopTopic: TypeAlias = Callable[["Calendar"], Drawn]
"""What the shop has once: from its calendar, which holds the plan."""
