"""Tables that a shop could be made of: the files of a folder, and what every kind of table has.

Rows come from the connectors' own readers, so what `loyalty init` sees is what a night lands.

Belongs here: which files there are, how they are written, their rows. Does not belong here: what a column holds
(`profiling.py`), databases (`database_samples.py`).
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from dagster_project.onboarding.encodings import guess_encoding
from dagster_project.sources.compression import compression_of, uncompressed
from dagster_project.sources.files import find_files
from dagster_project.sources.load_writer import open_reading
from dagster_project.sources.readings import Reading, UnevenLineEndsError
from dagster_project.sources.tables import FileFormat, SourceError, SourceTable, delivery_name
from dagster_project.sources.xlsx_reader import sheet_names

DELIMITERS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 18
SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "json_lines", ".ndjson": "json_lines",
    ".parquet": "parquet", ".xlsx": "xlsx",
}  # fmt: skip
"""The format that a file's name tells, compressed or not."""
USUAL = {"format": "csv", "delimiter": ",", "encoding": "utf-8", "sheet": None}
"""What the settings need not say."""


class Sample(Protocol):
    """A table that can be looked into."""

    @property
    def name(self) -> str:
        """As a person knows it: a file's name, a database's `schema.table`."""

    @property
    def subject(self) -> str:
        """The part of the name that says what its rows are."""

    @property
    def key(self) -> Sequence[str]:
        """The columns that its system declares to be its key; none where it declares none."""

    @property
    def described(self) -> Mapping[str, Any]:
        """What the settings say of it: how it is found and written, without its columns."""

    def can_follow(self, column: str) -> bool:
        """Whether new rows can be asked for by a column that grows when a row changes."""

    def batches(self, column: str | None = None, most_rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Its rows in their order.

        Args:
            column: the only one that is needed; others may come, too. None needs all.
            most_rows: no more than so many are needed.

        Raises:
            SourceError: it cannot be read.
        """


@dataclass(frozen=True)
class FileSample:
    """A file of a shop's exports.

    Attributes:
        path: of the file.
        format: as in the settings.
        delimiter: of a CSV.
        encoding: of a text, by Python's name.
        sheet: of a workbook; None for its first.
    """

    path: Path
    format: FileFormat
    delimiter: str = ","
    encoding: str = "utf-8"
    sheet: str | None = None
    key: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The file's name, with that of its sheet."""
        return self.path.name if self.sheet is None else f"{self.path.name}, sheet {self.sheet}"

    @property
    def subject(self) -> str:
        """The sheet's name, or the file's without its endings."""
        return self.sheet or self.path.name.split(".")[0]

    @property
    def described(self) -> Mapping[str, Any]:
        """The file, and how it is written where that is not usual."""
        written = {name: getattr(self, name) for name in USUAL}
        return {"files": self.path.name} | {name: told for name, told in written.items() if told != USUAL[name]}

    def can_follow(self, column: str) -> bool:
        """A file is always read whole."""
        del column
        return False

    def batches(self, column: str | None = None, most_rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Its rows; see `Sample`."""
        del column, most_rows  # a reader reads whole rows, and stops when nobody asks for the next
        table, done = self._table(), 0
        [file] = [found for found in find_files(table) if found.path == self.path]
        with tempfile.TemporaryDirectory() as scratch:
            try:
                for batch in _rows(open_reading(table, file, Path(scratch))):
                    yield batch
                    done += batch.num_rows
            except UnevenLineEndsError:
                reading = open_reading(table, file, Path(scratch), with_plain_line_ends=True)
                for batch in _rows(reading):
                    yield batch.slice(max(done, 0))
                    done -= batch.num_rows

    def _table(self) -> SourceTable:
        return SourceTable(
            "file", "file", self.path.parent, self.path.name, self.format, (), self.delimiter,
            encoding=self.encoding, sheet=self.sheet,
        )  # fmt: skip


def _rows(reading: Reading) -> Iterator[pa.RecordBatch]:
    with closing(reading):
        yield from reading.batches()


def file_samples(folder: Path) -> tuple[list[FileSample], list[tuple[str, str]]]:
    """The files of a folder that may be tables, by name, and the names of those that cannot be read with the reason.

    Hidden files, and those whose name tells no format, are left out.

    Raises:
        SourceError: the folder does not exist or holds no such file.
    """
    if not folder.is_dir():
        raise SourceError(f"{str(folder)!r} is not a folder; expected one that holds the shop's exports")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and format_of(path) is not None)
    if not paths:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise SourceError(f"no file in {str(folder)!r} ends in {', '.join(SUFFIXES)}; found {there}")
    found: list[FileSample] = []
    unreadable: list[tuple[str, str]] = []
    for path in paths:
        try:
            found += samples_of(path)
        except SourceError as fault:
            unreadable.append((path.name, str(fault)))
    return found, unreadable


def format_of(path: Path) -> FileFormat | None:
    """The format that a file's name tells; None where it tells none."""
    return None if path.name.startswith(".") else SUFFIXES.get(Path(delivery_name(path.name.lower())).suffix)


def samples_of(path: Path) -> list[FileSample]:
    """The tables of one file: the sheets of a workbook, else the file.

    Raises:
        SourceError: the file is empty or no text.
    """
    file_format = format_of(path)
    if file_format is None:
        raise SourceError(f"{path.name!r} is none of {', '.join(SUFFIXES)}")
    if file_format == "xlsx":
        return _sheets(path)
    if file_format == "parquet":
        return [FileSample(path, file_format)]
    return [FileSample(path, file_format, *_dialect(path, file_format))]


def _sheets(path: Path) -> list[FileSample]:
    names = sheet_names(SourceTable("file", "file", path.parent, path.name, "xlsx"), path)
    return [FileSample(path, "xlsx", sheet=name if len(names) > 1 else None) for name in names]


def _dialect(path: Path, file_format: FileFormat) -> tuple[str, str]:
    """The delimiter and the encoding of a text, from its first bytes."""
    head = _head(path)
    encoding = guess_encoding(head)
    text = head.decode(encoding, errors="replace")
    if not text.strip() or "\0" in text:
        raise SourceError(f"{path.name!r} is empty or no text; expected a CSV with a header")
    if file_format != "csv":
        return ",", encoding
    return max(DELIMITERS, key=lambda delimiter: _regularity(text, delimiter)), encoding


def _regularity(text: str, delimiter: str) -> tuple[float, int]:
    """How alike the records are when cut by a delimiter, and how many fields most have; one field is no cut."""
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    widths: Counter[int] = Counter()
    try:
        widths.update(len(record) for record, _ in zip(records, range(200), strict=False) if record)
    except csv.Error:  # a field that never ends: this delimiter cuts nothing
        return 0.0, 0
    width, count = widths.most_common(1)[0]
    return (count / widths.total() if width > 1 else 0.0, width)


def _head(path: Path) -> bytes:
    """The first bytes of a file's text, uncompressed."""
    table = SourceTable("file", "file", path.parent, path.name, "csv")
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        compression = compression_of(table, path.name, head)
        if compression is None:
            return head
        chunks = chain([head], iter(partial(stream.read, HEAD_BYTES), b""))
        return next(uncompressed(table, path, path.name, compression, chunks), b"")[:HEAD_BYTES]
