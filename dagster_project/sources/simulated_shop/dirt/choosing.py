"""Which rows a kind of dirt takes: by a keyed hash of the row's key, never by its place.

A row's fate hangs on its key, the shop's seed and the kind's name alone. So it is the same however the shop is cut into
blocks, and one kind switched off leaves the others as they are.

Belongs here: hashing of columns, thresholds. Does not belong here: what is done to a chosen row (`kinds.py` and the
modules that it names).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_FNV_START, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_FIELD_END = np.uint64(0x1F)


def key_hashes(table: pa.Table, columns: Sequence[str]) -> Hashes:
    """One 64-bit hash per row of the texts of some columns (FNV-1a, a separator after each field).

    Args:
        table: Rows.
        columns: At least one column; a null hashes as an empty text.
    """
    hashes = np.full(table.num_rows, _FNV_START, dtype=np.uint64)
    for column in columns:
        values = table.column(column).cast(pa.large_string()).combine_chunks()
        chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
        array = pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())
        _, starts_buffer, text_buffer = array.fill_null("").buffers()
        if len(array) == 0:
            continue
        ends = np.frombuffer(starts_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        text = np.frombuffer(text_buffer, dtype=np.uint8) if text_buffer else np.zeros(0, dtype=np.uint8)
        starts, lengths = ends[:-1], np.diff(ends)
        for place in range(int(lengths.max())):
            here = np.flatnonzero(lengths > place)
            hashes[here] = (hashes[here] ^ text[starts[here] + place].astype(np.uint64)) * _FNV_PRIME
        hashes = (hashes ^ _FIELD_END) * _FNV_PRIME
    return hashes


def draws(hashes: Hashes, seed: int, name: str) -> Hashes:
    """Independent uniform 64-bit numbers for the same keys: one stream per seed and name (SplitMix64's finaliser)."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    mixed = hashes ^ np.uint64(int.from_bytes(digest[:8], "little"))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def is_below(drawn: Hashes, share: float) -> Mask:
    """Whether each number lies in the lowest `share` (0 to 1) of all."""
    if share >= 1:
        return np.ones(len(drawn), dtype=bool)
    return np.asarray(drawn < np.uint64(int(share * 2.0**53) << 11), dtype=bool)
