"""Reading a sheet of a workbook: cells as text, as a CSV export of the same sheet would have them.

A number is written with the 15 digits that a spreadsheet shows, a date as `2025-01-31`, a time of a day as
`2025-01-31 13:45:00`, a truth value as `true` or `false`, a formula as the value that was last computed. A sheet has at
most 1,048,576 rows, so it is read whole.

Belongs here: the sheet, its header, its rows. Does not belong here: writing (`landing.py`).
"""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from dagster_project.sources.files import SourceFile
from dagster_project.sources.readings import Reject, batch_rows
from dagster_project.sources.tables import SourceTable, check_column_names, check_required_columns

_MOST_BYTES = (
    4 << 30
)  # of a workbook once uncompressed; what is larger is no workbook that a program could have written

Cells = list[str | None]


class XlsxReading:
    """A sheet being read; see `Reading`. A row is rejected when it has a cell beyond the last column with a name.

    Raises:
        SourceError: When the file is no workbook, or the sheet is not there or lacks a column.
    """

    def __init__(self, table: SourceTable, file: SourceFile) -> None:
        self._table, self._file = table, file
        self._sheet = self._opened()
        rows = self._rows()
        if table.has_header:
            self._header_row, header = next(rows, (0, []))
            while header and header[-1] is None:
                header.pop()
            self.columns = tuple(name or f"unnamed_{place}" for place, name in enumerate(header, start=1))
        else:
            self._header_row, self.columns = 0, table.columns
        if not self.columns:
            raise table.error(f"sheet {self._sheet.name!r} of file {file.name!r} is empty; expected the column names")
        place = f"sheet {self._sheet.name!r} of file {file.name!r}"
        check_column_names(table, self.columns, place)
        check_required_columns(table, self.columns, place)
        self.schema = pa.schema([pa.field(name, pa.string()) for name in self.columns])
        self.approximate_rows = int(self._sheet.total_height)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The readable rows in the order of the sheet."""
        most, held = batch_rows(len(self.columns)), []
        for _, cells in self._records():
            if len(cells) <= len(self.columns):
                held.append(cells + [None] * (len(self.columns) - len(cells)))
            if len(held) == most:
                yield self._batch(held)
                held = []
        if held:
            yield self._batch(held)

    def rejects(self) -> Iterator[Reject]:
        """The rows with cells that no column names."""
        for number, cells in self._records():
            if len(cells) > len(self.columns):
                reason = f"too many fields: expected {len(self.columns)}, found {len(cells)}"
                yield Reject(number, reason, "\t".join(cell or "" for cell in cells))

    def prove_complete(self, landed: Path, rows: int, rejects: Path | None) -> None:
        """Nothing to prove: a row that is not blank is in exactly one place."""

    def close(self) -> None:
        """Nothing is held open."""

    def _opened(self) -> Any:
        with _opened_book(self._table, self._file.path) as book:
            names = list(book.sheet_names)
            wanted = self._table.sheet or (names[0] if names else "")
            if wanted not in names:
                raise self._table.error(
                    f"file {self._file.name!r} has no sheet {wanted!r}; found {', '.join(map(repr, names)) or 'none'}: "
                    "correct 'sheet' in the settings"
                )
            return book.get_sheet_by_name(wanted)

    def _rows(self) -> Iterator[tuple[int, Cells]]:
        """Number and cells of every row after the skipped ones that is not blank."""
        margin: Cells = [None] * (self._sheet.start or (0, 0))[1]
        for number, row in enumerate(self._sheet.iter_rows(), start=1):
            cells = margin + [cell_text(cell) for cell in row]
            if number > self._table.skip_lines and any(cell is not None for cell in cells):
                yield number, cells

    def _records(self) -> Iterator[tuple[int, Cells]]:
        for number, cells in self._rows():
            if number <= self._header_row:
                continue
            while cells and cells[-1] is None:
                cells.pop()
            yield number, cells

    def _batch(self, rows: list[Cells]) -> pa.RecordBatch:
        columns = [pa.array(list(column), pa.string()) for column in zip(*rows, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def sheet_names(table: SourceTable, path: Path) -> list[str]:
    """The sheets of a workbook, in its order.

    Raises:
        SourceError: The file is no workbook.
    """
    with _opened_book(table, path) as book:
        return list(book.sheet_names)


@contextmanager
def _opened_book(table: SourceTable, path: Path) -> Iterator[Any]:
    """The workbook; what its reader cannot make sense of within the block is told in our words."""
    try:
        import python_calamine as calamine
    except ImportError:
        raise table.error(
            "workbooks need the package python-calamine, which is not installed; install loyalty-warehouse[xlsx]"
        ) from None
    try:
        with zipfile.ZipFile(path) as parts:
            if sum(part.file_size for part in parts.infolist()) > _MOST_BYTES:
                raise OSError("more than 4 GiB once uncompressed")
        yield calamine.CalamineWorkbook.from_path(str(path))
    except (zipfile.BadZipFile, calamine.CalamineError, calamine.PasswordError, OSError) as error:
        raise table.error(
            f"file {path.name!r} is not readable as a workbook ({str(error) or type(error).__name__}); "
            "save it again as .xlsx without a password"
        ) from None


def cell_text(cell: Any) -> str | None:
    """A cell's value as text; None when it is empty."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float | int):
        return format(Decimal(format(cell, ".15g")), "f")
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ")
    return str(cell) or None  # of dates and times of a day this is ISO's form
