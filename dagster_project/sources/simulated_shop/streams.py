"""Where chance comes from: one stream of random numbers per topic of a block of people.

Belongs here: streams, and the rounding that keeps their outcome the same on every machine. Does not belong here: what
is drawn from them.

A stream depends on seed, block and topic alone, so neither the order of drawing nor a topic added later changes what
others draw. NumPy's generators are exact; logarithms and powers behind some distributions may differ in the last bit
from one processor to the next, so drawn reals are kept to 30 bits, times to whole seconds and money to whole cents.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BITS = 30


def stream(seed: int, block: int, topic: str) -> np.random.Generator:
    """The stream of one topic of one block; the same arguments begin the same stream again.

    Args:
        seed: of the shop.
        block: number of the block; -1 for what the shop has once.
        topic: any name; each caller has its own.
    """
    digest = hashlib.blake2b(f"{seed}/{block}/{topic}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest, dtype="<u8")))


def kept(reals: npt.ArrayLike) -> Floats:
    """Reals to 30 significant bits, some nine digits; infinities stay."""
    mantissa, exponent = np.frexp(np.asarray(reals, dtype=np.float64))
    return np.asarray(np.ldexp(np.rint(mantissa * 2.0**_BITS), exponent - _BITS), dtype=np.float64)


def chosen(rng: np.random.Generator, shares: npt.ArrayLike, count: int) -> Ints:
    """Positions drawn with these shares, one uniform number each.

    Args:
        rng: the stream.
        shares: shape (k,), adding up to 1.
        count: how many.
    """
    edges = kept(np.cumsum(np.asarray(shares, dtype=np.float64)))[:-1]
    return np.asarray(np.searchsorted(edges, rng.random(count), side="right"), dtype=np.int64)
