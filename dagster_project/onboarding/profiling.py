"""What a file holds: its dialect, its columns, how they are written; counts and shares, no values but short codes.

Belongs here: looking at files. Does not belong here: what a column means (`guessing.py`).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.onboarding.readings import READING_OF, READINGS
from dagster_project.sources.engine import private_connection
from dagster_project.sources.files import as_plain_text, find_files
from dagster_project.sources.raw_views import identifier, literal
from dagster_project.sources.tables import FileFormat, SourceError, SourceTable

DELIMITERS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 18
MOST_ROWS = 300_000
"""Records that are looked at, from the first: enough to tell a key from a reference."""
SAMPLED_ROWS = 20_000
"""Of these, how many are held against the ways to write a value."""
MOST_CODES = 40
LONGEST_CODE = 40
STRAY_SCORES = 0.005
"""Share of scores at either end that may be slips of the hand."""
SUFFIXES: dict[str, FileFormat] = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet"}


@dataclass(frozen=True)
class Column:
    """A column of a file.

    Attributes:
        name: as the file writes it.
        rows: records that were looked at.
        filled: of these, those that are not blank.
        distinct: different texts among the filled.
        written_as: names of the readings that all but one in a hundred of the filled texts fit, in their order.
        low: the least number of a sample, where it is written as one.
        high: the greatest.
        codes: the texts that occur, most frequent first, where they are few and short; empty otherwise.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    written_as: tuple[str, ...]
    low: float | None
    high: float | None
    codes: tuple[str, ...]

    @property
    def is_unique(self) -> bool:
        """Whether it could name the rows: filled, and all but one in a hundred of its texts different."""
        return self.rows > 0 and self.filled >= 0.99 * self.rows and self.distinct >= 0.99 * self.filled


@dataclass(frozen=True)
class Profile:
    """A file of a shop.

    Attributes:
        file: path relative to the folder.
        format: as in the settings.
        delimiter: of a CSV.
        encoding: of a CSV, by Python's name.
        columns: in the order of the file.
    """

    file: str
    format: FileFormat
    delimiter: str
    encoding: str
    columns: tuple[Column, ...]

    @property
    def rows(self) -> int:
        """Records that were looked at, `MOST_ROWS` at most."""
        return self.columns[0].rows if self.columns else 0

    def column(self, name: str) -> Column:
        """The column of a name."""
        return next(column for column in self.columns if column.name == name)


def profile_folder(folder: Path) -> Iterator[Profile]:
    """The profiles of all files of a folder that can be read, by name; hidden ones are left out.

    Raises:
        SourceError: the folder does not exist or holds no such file, or a file cannot be read.
    """
    if not folder.is_dir():
        raise SourceError(f"{str(folder)!r} is not a folder; expected one that holds the shop's exports")
    suffixes = ", ".join(SUFFIXES)
    paths = sorted(path for path in folder.iterdir() if path.is_file() and format_of(path) is not None)
    if not paths:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise SourceError(f"no file in {str(folder)!r} ends in {suffixes}; found {there}")
    for path in paths:
        yield profile_file(path)


def format_of(path: Path) -> FileFormat | None:
    """The format that a file's name tells, compressed or not; None where it tells none."""
    return None if path.name.startswith(".") else SUFFIXES.get(Path(path.name.lower().removesuffix(".gz")).suffix)


def profile_file(path: Path) -> Profile:
    """The profile of one file.

    Raises:
        SourceError: the file is empty, no text, or has no header.
    """
    file_format = format_of(path)
    if file_format is None:
        raise SourceError(f"{path.name!r} is none of {', '.join(SUFFIXES)}")
    encoding, delimiter = ("utf-8", ",") if file_format == "parquet" else _dialect(path)
    with _opened(path, file_format, encoding, delimiter) as con:
        return Profile(path.name, file_format, delimiter, encoding, _columns(con))


def day_range(path: Path, profile: Profile, column: str, written_as: str) -> tuple[dt.date, dt.date]:
    """The first and the last day that a column of times names, by the clock that it is written in.

    Args:
        path: of the file.
        profile: of the file.
        column: its name.
        written_as: how, by the name of the reading.
    """
    value = READING_OF[written_as].value.replace("$text", _text(column))
    with _opened(path, profile.format, profile.encoding, profile.delimiter, most_rows=None) as con:
        [(first, last)] = con.execute(
            f"select min(day), max(day) from (select ({value})::date as day from seen)"
        ).fetchall()
    return first, last


def scores_by_question(
    path: Path, profile: Profile, score: str, question: str | None
) -> dict[str | None, tuple[float, float]]:
    """Least and greatest of nearly all scores, by question; by None where the file names no question.

    Args:
        path: of the file.
        profile: of the file.
        score: its column of scores.
        question: its column that names questions; None where it has none.
    """
    code = f"lower({_text(question)})" if question else "null"
    with _opened(path, profile.format, profile.encoding, profile.delimiter) as con:
        found = con.execute(
            f"""
            select code, quantile_disc(score, {STRAY_SCORES}), quantile_disc(score, {1 - STRAY_SCORES})
            from (select {code} as code, try_cast({_text(score)} as double) as score from seen)
            where score is not null group by code order by count(*) desc, code limit {MOST_CODES}
            """
        ).fetchall()
    return {code: (low, high) for code, low, high in found}


@contextmanager
def _opened(
    path: Path, file_format: FileFormat, encoding: str, delimiter: str, most_rows: int | None = MOST_ROWS
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees the file's first records, or all of them, as `seen`."""
    with tempfile.TemporaryDirectory() as scratch, private_connection() as con:
        if file_format == "parquet":
            relation = f"read_parquet({literal(str(path))})"
        else:
            table = SourceTable(
                "file", "file", path.parent, path.name, "csv", ("column",), delimiter, encoding=encoding
            )
            [file] = [found for found in find_files(table) if found.path == path]
            plain = as_plain_text(table, file, Path(scratch))
            relation = (
                f"read_csv({literal(str(plain))}, all_varchar = true, header = true, delim = {literal(delimiter)}, "
                "quote = '\"', escape = '\"', ignore_errors = true, null_padding = true, parallel = false)"
            )
        if most_rows is None:
            con.execute(f"create temp view seen as select * from {relation}")
        else:
            con.execute(f"create temp table seen as select * from {relation} limit {most_rows}")
        yield con


def _dialect(path: Path) -> tuple[str, str]:
    """The encoding and the delimiter of a CSV, from its first bytes."""
    head = _head(path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig" if head.startswith(b"\xef\xbb\xbf") else "utf-8"
        try:
            head[:-4].decode(encoding)
        except UnicodeDecodeError:
            encoding = "cp1252"
    lines = io.StringIO(head.decode(encoding, errors="replace"), newline="")
    text = lines.read()
    if not text.strip() or "\0" in text:
        raise SourceError(f"{path.name!r} is empty or no text; expected a CSV with a header")
    return encoding, max(DELIMITERS, key=lambda delimiter: _regularity(text, delimiter))


def _regularity(text: str, delimiter: str) -> tuple[float, int]:
    """How alike the records are when cut by a delimiter, and how many fields most have; one field is no cut."""
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    widths = Counter(len(record) for record, _ in zip(records, range(200), strict=False) if record)
    width, count = widths.most_common(1)[0]
    return (count / widths.total() if width > 1 else 0.0, width)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return zlib.decompressobj(31).decompress(head, HEAD_BYTES) if head.startswith(b"\x1f\x8b") else head


def _columns(con: duckdb.DuckDBPyConnection) -> tuple[Column, ...]:
    names = [str(name) for name, *_ in con.execute("describe seen").fetchall()]
    [(rows,)] = con.execute("select count(*) from seen").fetchall()
    con.execute(
        f"create or replace temp table sample as select * from seen where rowid % {max(rows // SAMPLED_ROWS, 1)} = 0"
    )
    return tuple(_column(con, name, rows) for name in names)


def _text(column: str) -> str:
    return f"nullif(trim({identifier(column)}::varchar), '')"


def _column(con: duckdb.DuckDBPyConnection, name: str, rows: int) -> Column:
    text = _text(name)
    [(filled, distinct, longest)] = con.execute(
        "select count(text), count(distinct text), coalesce(max(length(text)), 0) "
        f"from (select {text} as text from seen)"
    ).fetchall()
    fits = ", ".join(f"count(*) filter (where {way.condition('text')})" for way in READINGS)
    [(sampled, low, high, *fitting)] = con.execute(
        f"""
        select count(text), min(try_cast(text as double)), max(try_cast(text as double)), {fits}
        from (select {text} as text from sample)
        """
    ).fetchall()
    codes = []
    if 0 < distinct <= MOST_CODES and longest <= LONGEST_CODE:
        counted = (
            f"select code from (select {text} as code from seen) where code is not null "
            "group by code order by count(*) desc, code"
        )
        codes = [str(code) for (code,) in con.execute(counted).fetchall()]
    written_as = tuple(
        way.name for way, count in zip(READINGS, fitting, strict=True) if sampled and count >= 0.99 * sampled
    )
    return Column(name, rows, filled, distinct, written_as, low, high, tuple(codes))
