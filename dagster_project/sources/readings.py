"""What every reader hands to landing: batches of rows, the rows it refused, and a proof that nothing is missing.

Belongs here: the shape that the readers share. Does not belong here: any format (`csv_reader.py`,
`fixed_width_reader.py`, `parquet_reader.py`) and any writing (`landing.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

BATCH_ROWS = 122_880  # DuckDB's row group: batches arrive in this size, and no row group is smaller than need be

_WIDE_COLUMNS = 32


def batch_rows(columns: int) -> int:
    """Rows of a batch, fewer for a wide table, so that a batch takes about as much memory whatever the width."""
    return max(2_048, BATCH_ROWS * _WIDE_COLUMNS // max(columns, _WIDE_COLUMNS))


@dataclass(frozen=True)
class Reject:
    """A row that could not be read. `line` counts physical lines of the uncompressed file from 1."""

    line: int
    reason: str
    raw_line: str


class Reading(Protocol):
    """One source file, being read once: first all `batches`, then `rejects`, then `prove_complete`."""

    columns: tuple[str, ...]
    schema: pa.Schema
    approximate_rows: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The readable rows in file order, with exactly the source's columns."""

    def rejects(self) -> Iterator[Reject]:
        """The unreadable rows in file order."""

    def prove_complete(self, landed: Path, rows: int, rejects: Path | None) -> None:
        """Raise SourceError when a line of the file is neither in `landed` nor in `rejects`."""

    def close(self) -> None:
        """Let go of the file."""


class UnevenLineEndsError(Exception):
    """The file ends its lines in more than one way: read it again with plain ones."""
