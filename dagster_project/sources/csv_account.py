"""The account of a CSV file's lines: where the rejected records stand, and whether any line is missing.

Belongs here: arithmetic on physical lines, independent of the parser that it checks.
Does not belong here: parsing (`csv_reader.py`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dagster_project.sources.engine import private_connection
from dagster_project.sources.files import CHUNK_BYTES
from dagster_project.sources.tables import SourceTable
from dagster_project.sql_text import literal, quoted_identifier

_LONGEST_RECORD = 16 << 20  # of what is kept or searched; DuckDB reads records of up to 2 MB
_CLIPPED_BYTES = 9_990  # DuckDB 1.5.5 and 2.0.0 keep 10,000 bytes of a rejected record, fewer by a broken character


@dataclass(frozen=True)
class RejectedRecord:
    """A record as DuckDB's reject table places it: bytes from the start of the file."""

    offset: int
    length: int
    reason: str
    is_short: bool


@dataclass(frozen=True)
class LocatedRecord:
    """The same record with its exact bytes and its physical line."""

    line: int
    raw: bytes
    reason: str
    is_short: bool
    is_last: bool
    ends_with_newline: bool


def count_lines(text: Path) -> int:
    """Physical lines of a file; a last line without a newline counts."""
    count, last = 0, b"\n"
    with text.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            count += chunk.count(b"\n")
            last = chunk[-1:]
    return count + (last != b"\n")


def located_rejects(text: Path, records: Iterable[RejectedRecord], table: SourceTable) -> Iterator[LocatedRecord]:
    """Each record with its line and its bytes, in one pass over the file.

    DuckDB's own text of a record has its invalid bytes replaced, sometimes the line end before it, and ends after
    10,000 bytes; its `line` counts records and blank lines, not lines. Its byte position is right, so the rest is read
    from there, up to 16 MB a record.
    """
    size = text.stat().st_size
    with text.open("rb") as stream:
        position, line = 0, 1
        for record in records:
            while position < record.offset:
                chunk = stream.read(min(CHUNK_BYTES, record.offset - position))
                line += chunk.count(b"\n")
                position += len(chunk)
            bytes_of_record = stream.read(record.length)
            if record.length >= _CLIPPED_BYTES:
                bytes_of_record = _to_its_end(stream, bytes_of_record, table)
            after = stream.read(3)
            raw = bytes_of_record.lstrip(b"\r\n")
            newlines_before = bytes_of_record[: len(bytes_of_record) - len(raw)].count(b"\n")
            end = record.offset + len(bytes_of_record)
            yield LocatedRecord(
                line=line + newlines_before,
                raw=raw.rstrip(b"\r\n"),
                reason=record.reason,
                is_short=record.is_short,
                is_last=not after.strip(b"\r\n") and end + 2 >= size,
                ends_with_newline=raw.endswith(b"\n") or after.startswith((b"\n", b"\r")),
            )
            stream.seek(position)


def _to_its_end(stream: BinaryIO, begun: bytes, table: SourceTable) -> bytes:
    """A record read on to the first line end at which its quotes are paired."""
    parts, length = [begun], len(begun)
    is_open = count_quotes(begun, table) % 2 == 1
    while length < _LONGEST_RECORD and (line := stream.readline(_LONGEST_RECORD - length)):
        parts.append(line)
        length += len(line)
        is_open ^= count_quotes(line, table) % 2 == 1
        if not is_open:
            break
    return b"".join(parts)


def count_quotes(raw: bytes, table: SourceTable) -> int:
    """Quotes of a piece of a record that open or close a field, or are doubled; escaped ones do not count."""
    if not table.quote:
        return 0
    escape, quote = table.escape.encode(), table.quote.encode()
    if escape and escape in raw:
        raw = re.sub(re.escape(escape) + b".", b"", raw, flags=re.DOTALL)
    return raw.count(quote)


def python_dialect(table: SourceTable) -> dict[str, Any]:
    """The table's dialect as Python's csv module takes it."""
    if not table.quote:
        return {"delimiter": table.delimiter, "quotechar": None, "quoting": csv.QUOTE_NONE}
    escaped = {"doublequote": False, "escapechar": table.escape} if table.escape else {}
    return {"delimiter": table.delimiter, "quotechar": table.quote, "quoting": csv.QUOTE_MINIMAL, **escaped}


def unexplained_lines(
    text: Path, columns: tuple[str, ...], landed: Path, rejects: Path | None, records: int, lines_before: int
) -> int:
    """Lines of the file that no landed row, no rejected record and no blank line explains.

    Args:
        text: The file.
        columns: Its columns, all text.
        landed: Parquet of the rows read.
        rejects: Parquet of the records refused, or None.
        records: Lines after the header.
        lines_before: Lines before the header.

    Returns:
        0 when the account balances.
    """
    lines, blank = _lines_and_blanks([quoted_identifier(name) for name in columns], landed)
    if rejects is not None:
        rejected_lines, rejected_blank = _lines_and_blanks(["raw_line"], rejects)
        lines, blank = lines + rejected_lines, blank + rejected_blank
    if records == lines:
        return 0
    return records - lines - (_blank_lines(text, lines_before) - blank)


def _lines_and_blanks(columns: list[str], parquet: Path) -> tuple[int, int]:
    """Physical lines that the records of a Parquet took in their file, and how many of those were blank."""
    breaks = " + ".join(f"coalesce(length({name}) - length(replace({name}, chr(10), '')), 0)" for name in columns)
    runs = " + ".join(
        f"case when contains({name}, chr(10)) then length(regexp_extract_all({name}, '(?:\\r?\\n)+')) else 0 end"
        for name in columns
    )
    with private_connection() as connection:
        found = connection.execute(
            f"select count(*), coalesce(sum({breaks}), 0), coalesce(sum({runs}), 0) "
            f"from read_parquet({literal(str(parquet))}, hive_partitioning=false)"
        ).fetchone()
    if found is None:
        raise AssertionError("an aggregate without groups always has a row")
    rows, count_breaks, count_runs = found
    return int(rows + count_breaks), int(count_breaks - count_runs)


def _blank_lines(text: Path, lines_before: int) -> int:
    with text.open("rb") as stream:
        return sum(1 for line, content in enumerate(stream) if line >= lines_before and not content.strip(b"\r\n"))


def line_of_open_quote(text: Path, table: SourceTable) -> int | None:
    """Where a quote is opened that the rest of the file, or 16 MB of it, does not close; None when there is no such."""
    if not table.quote:
        return None
    limit_before = csv.field_size_limit(_LONGEST_RECORD)
    try:
        with text.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            reader = csv.reader(stream, strict=True, **python_dialect(table))
            while True:
                start = reader.line_num + 1
                try:
                    next(reader)
                except StopIteration:
                    return None
                except csv.Error as error:
                    if "unexpected end of data" in str(error) or "larger than field limit" in str(error):
                        return start
    finally:
        csv.field_size_limit(limit_before)
