"""What a source table is: where its files lie and how they are to be read.

Belongs here: the description of one table of one source, its validation, and the error that every reader raises.
Does not belong here: finding and reading the files (`files.py`, `csv_reader.py`, `fixed_width_reader.py`,
`parquet_reader.py` ...), keeping what was read (`landing.py`), renaming and casting (the staging models in SQL).
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from dagster_project.sources.protection import Protection

FileFormat = Literal["csv", "json_lines", "parquet", "xlsx", "fixed_width"]
ChangePolicy = Literal["evolve", "freeze", "quarantine"]

PROVENANCE_COLUMNS = ("_source", "_file", "_loaded_at", "_load_id", "_row_number")
DELETED = "_is_deleted"  # true in a tombstone, the last row of a key that the source no longer has

COMPRESSED = (".gz", ".zst")
TEXT_FORMATS = ("csv", "json_lines", "fixed_width")

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


class SourceError(RuntimeError):
    """A source that cannot be landed: one line with what was found, what was expected and what to do."""


class MissingColumns(SourceError):
    """A file without a required column; `found` names those that it has, in their order."""

    def __init__(self, message: str, found: tuple[str, ...]) -> None:
        super().__init__(message)
        self.found = found


@dataclass(frozen=True)
class FixedField:
    """One field of a fixed-width line: `start` counts characters from 1."""

    name: str
    start: int
    width: int

    def __post_init__(self) -> None:
        if self.start < 1 or self.width < 1:
            raise SourceError(
                f"fixed-width field {self.name!r} has start {self.start} and width {self.width}; "
                "both are counted from 1: correct the field in the settings"
            )


@dataclass(frozen=True)
class SourceTable:
    """One table of one source.

    Args:
        source: Name of the source; an SQL identifier in lower case, as it becomes part of a view name and a folder.
        table: Name of the table within the source; the same rule.
        folder: Folder that holds the files.
        files: File name or glob relative to the folder; `orders.csv` also finds `orders.csv.gz` and `orders.csv.zst`.
        format: `csv`, `json_lines` (an object a line), `parquet`, `xlsx` or `fixed_width`.
        columns: Columns that must be there; further ones are landed too. Taken from `fields` for fixed width.
        optional_columns: Columns that may be missing; where no delivery has them, they are null.
        delimiter: Field delimiter of a CSV, one character.
        quote: Quote character of a CSV, or an empty string for none.
        escape: What stands before a quote that is part of a quoted field; empty where such a quote is doubled.
        has_header: Whether the first line of a CSV or a sheet names the columns; else `columns` does, in order.
        encoding: Python's name of the text encoding.
        is_optional: No file at all is then an empty table instead of an error.
        fields: Fields of a fixed-width line.
        skip_lines: Lines before the header of a CSV or a sheet, or before the first record of another text.
        sheet: Name of the sheet of a workbook; None is its first.
        is_snapshot: Each file is the whole table, so only the last one by name counts.
        when_changed: What a delivery with other columns or new codes than the one before meets: `evolve` lands it and
            tells, `freeze` stops, `quarantine` sets the file aside and goes on with what was landed before.
        enumerations: Columns of codes, of which a new one is a change.
        protection: What of it is a direct identifier; None where nothing is.
    """

    source: str
    table: str
    folder: Path
    files: str
    format: FileFormat
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    has_header: bool = True
    encoding: str = "utf-8"
    is_optional: bool = False
    fields: tuple[FixedField, ...] = ()
    skip_lines: int = 0
    sheet: str | None = None
    is_snapshot: bool = False
    when_changed: ChangePolicy = "evolve"
    enumerations: tuple[str, ...] = ()
    protection: Protection | None = None
    optional_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, word in (("source", self.source), ("table", self.table)):
            if not _IDENTIFIER.fullmatch(word):
                raise SourceError(
                    f"{kind} name {word!r} is not a lower-case SQL identifier; "
                    "expected a letter, then letters, digits and '_': rename it in the settings"
                )
        if self.format not in get_args(FileFormat):
            raise self.error(f"format {self.format!r} is unknown; expected one of {', '.join(get_args(FileFormat))}")
        self._check_files()
        self._check_dialect()
        self._check_columns()

    @property
    def name(self) -> str:
        """`source.table`, as people read it."""
        return f"{self.source}.{self.table}"

    @property
    def view_name(self) -> str:
        """`source__table`, the name of the raw view."""
        return f"{self.source}__{self.table}"

    @property
    def reader_fingerprint(self) -> str:
        """The options that change what is read from the same bytes, as canonical JSON."""
        options: dict[str, object] = {"format": self.format}
        if self.format in TEXT_FORMATS:
            options |= {"encoding": codecs.lookup(self.encoding).name, "skip_lines": self.skip_lines}
        if self.format == "csv":
            options |= {"delimiter": self.delimiter, "quote": self.quote}
        if self.format == "xlsx":
            options |= {"skip_lines": self.skip_lines, "sheet": self.sheet}
        if self.escape:
            options["escape"] = self.escape
        if not self.has_header:
            options["columns"] = self.columns
        if self.format == "fixed_width":
            options["fields"] = [[field.name, field.start, field.width] for field in self.fields]
        if self.protection is not None:
            options["protection"] = self.protection.fingerprint()
        return json.dumps(options, sort_keys=True)

    def error(self, message: str) -> SourceError:
        """An error about this table, on one line whatever the message quotes from a file."""
        return SourceError(f"{self.name}: " + " ".join(message.split()))

    def _check_files(self) -> None:
        pattern = PurePosixPath(self.files)
        if not self.files or pattern.is_absolute() or ".." in pattern.parts or "\0" in self.files:
            raise self.error(
                f"files {self.files!r} leaves its folder or is empty; "
                "expected a name or glob relative to the folder: correct it in the settings"
            )

    def _check_dialect(self) -> None:
        try:
            codecs.lookup(self.encoding)
            "".encode(self.encoding)
        except (LookupError, ValueError):
            raise self.error(
                f"encoding {self.encoding!r} is unknown; expected a text encoding such as utf-8, cp1252 or gb18030"
            ) from None
        if len(self.delimiter) != 1 or self.delimiter in "\r\n\0" or not self.delimiter.isascii():
            raise self.error(f"delimiter {self.delimiter!r} is not one plain character such as ',' or ';'")
        if self.quote and (len(self.quote) != 1 or self.quote in "\r\n\0" or not self.quote.isascii()):
            raise self.error(f"quote {self.quote!r} is not one plain character or empty")
        if self.escape and (len(self.escape) != 1 or self.escape in "\r\n\0" or not self.escape.isascii()):
            raise self.error(f"escape {self.escape!r} is not one plain character or empty")
        if self.escape and self.escape in (self.delimiter, self.quote):
            raise self.error(
                f"escape {self.escape!r} is the delimiter or the quote too; a doubled quote needs no escape"
            )
        if self.quote == self.delimiter:
            raise self.error(f"quote and delimiter are both {self.quote!r}; they have to differ")
        if self.skip_lines < 0:
            raise self.error(f"skip_lines is {self.skip_lines}; expected 0 or more")

    def _check_columns(self) -> None:
        if not self.has_header and (self.format not in ("csv", "xlsx") or not self.columns):
            raise self.error(
                "has_header is off, which is for csv and xlsx and needs 'columns', the names of all fields in their "
                "order: correct one of them in the settings"
            )
        if self.format == "fixed_width":
            if not self.fields:
                raise self.error("a fixed-width table needs its fields (name, start, width)")
            object.__setattr__(self, "columns", tuple(field.name for field in self.fields))
        elif self.fields:
            raise self.error(f"fields are for fixed_width; a {self.format} table names its columns itself")
        check_column_names(self, self.columns, "the settings")


def delivery_name(file: str) -> str:
    """A file's name whether compressed or not: two files of one such name are successive deliveries of it."""
    for suffix in COMPRESSED:
        file = file.removesuffix(suffix)
    return file


def check_column_names(table: SourceTable, names: tuple[str, ...], place: str) -> None:
    """Refuse names that could not stand side by side in the landed table.

    Args:
        table: The table, for the message.
        names: Column names in order.
        place: Where they stand, for the message.

    Raises:
        SourceError: On two equal names (SQL ignores case) or a name that provenance needs.
    """
    seen: set[str] = set()
    for name in names:
        key = name.casefold()
        if key in PROVENANCE_COLUMNS:
            raise table.error(
                f"column {name!r} in {place} has the name of a column that landing adds; "
                f"reserved are {', '.join(PROVENANCE_COLUMNS)}: rename it at the source"
            )
        if key in seen:
            raise table.error(
                f"column {name!r} stands twice in {place} (case does not count); "
                "expected every name once: rename one at the source"
            )
        seen.add(key)


def check_required_columns(table: SourceTable, found: tuple[str, ...], place: str) -> None:
    """Refuse a file without a required column.

    Raises:
        MissingColumns: Naming the missing columns and the found ones.
        SourceError: Naming the delimiter that the header seems to have.
    """
    missing = [name for name in table.columns if name not in found]
    if not missing:
        return
    if table.format == "csv" and len(found) == 1:
        for other in (",", ";", "\t", "|"):
            if other != table.delimiter and other in found[0]:
                raise table.error(
                    f"{place} looks delimited by {other!r}, not by {table.delimiter!r}: "
                    f"the header is the single field {found[0]!r}; set the delimiter in the settings"
                )
    fault = table.error(
        f"{place} lacks column(s) {', '.join(map(repr, missing))}; found {', '.join(map(repr, found))}: "
        "restore them at the source or correct the columns in the settings"
    )
    raise MissingColumns(str(fault), found)
