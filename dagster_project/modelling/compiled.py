"""Machine code for loops over millions of customers.

Belongs here: how a function is compiled and where the result is kept. The loops themselves live with their models.
A module that uses this one is imported inside the functions that need it: numba costs half a second of CPU to import,
which no command line should pay before it has anything to fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])

_LOOP = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
"""Sums may be reordered, which vector instructions need; infinities and NaN keep their meaning."""
_STEP = {"error_model": "numpy", "fastmath": {"contract", "nsz"}}
"""Reordered, the reduction of an exponential's argument would lose its last two digits."""


def compiled(loop: Loop) -> Loop:
    """The loop as machine code, kept on disk between processes.

    The cache lies beside the source, else in the user's cache folder; where neither can be written (a read-only
    install without a home) the loop is compiled again in each process. numba notices a change of the loop's own file
    and not of a file that it calls into: whoever edits `vector_math.py` deletes the `__pycache__` folders.

    Args:
        loop: a function of numbers and arrays, in the part of Python that numba knows.
    """
    try:
        return njit(cache=True, **_LOOP)(loop)
    except RuntimeError:
        return njit(**_LOOP)(loop)


def step_of_loops(step: Loop) -> Loop:
    """A step that loops call, small enough that the compiler puts it into each of them; its sums keep their order.

    Args:
        step: as for `compiled`.
    """
    return njit(**_STEP)(step)
