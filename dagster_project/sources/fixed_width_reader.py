"""Reading fixed-width text: each field trimmed, an empty one NULL, blank lines skipped.

Belongs here: cutting lines into fields. Does not belong here: bytes and encodings (`files.py`), writing (`landing.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.csv_account import count_lines
from dagster_project.sources.files import SourceFile, refuse_binary
from dagster_project.sources.readings import Reject, batch_rows
from dagster_project.sources.tables import SourceTable


class FixedWidthReading:
    """A fixed-width file being read; see `Reading`.

    A line is rejected when it ends before its last field starts, or holds characters that the encoding does not have.
    """

    def __init__(self, table: SourceTable, file: SourceFile, text: Path) -> None:
        self._table, self._file, self._text = table, file, text
        refuse_binary(table, file, text)
        self.columns = table.columns
        self.schema = pa.schema([pa.field(name, pa.string()) for name in self.columns])
        self.approximate_rows = self._count_lines = count_lines(text)
        self._shortest = max(field.start for field in table.fields)
        self._count_blank = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The readable lines in file order, cut into fields."""
        good = (content for _, content, reason in self._lines() if reason is None)
        rows = batch_rows(len(self.columns))
        while lines := list(islice(good, rows)):
            texts = pa.array(lines, pa.string())
            yield pa.RecordBatch.from_arrays(
                [self._cut(texts, field.start - 1, field.width) for field in self._table.fields], schema=self.schema
            )

    def rejects(self) -> Iterator[Reject]:
        """The unreadable lines in file order."""
        for line, content, reason in self._lines():
            if reason is not None:
                yield Reject(line, reason, content)

    def prove_complete(self, landed: Path, rows: int, rejects: Path | None) -> None:
        """Nothing to prove: `_lines` puts each line into exactly one place."""

    def close(self) -> None:
        """Nothing is held open."""

    def _lines(self) -> Iterator[tuple[int, str, str | None]]:
        """Number, text and, for a line that cannot be read, the reason."""
        with self._text.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                content = raw.rstrip(b"\r\n")
                if number == 1:
                    content = content.removeprefix(b"\xef\xbb\xbf")
                if number <= self._table.skip_lines or not content.strip():
                    continue
                try:
                    text = content.decode()
                except UnicodeDecodeError:
                    yield number, content.decode("utf-8", "backslashreplace"), "invalid characters for the encoding"
                    continue
                if len(text) < self._shortest:
                    reason = f"line too short: {len(text)} characters, the last field starts at {self._shortest}"
                    yield number, text, reason
                else:
                    yield number, text, None

    @staticmethod
    def _cut(texts: pa.Array, start: int, width: int) -> pa.Array:
        field = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(texts, start=start, stop=start + width))
        return pc.if_else(pc.equal(field, ""), pa.scalar(None, pa.string()), field)
