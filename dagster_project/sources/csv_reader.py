"""Reading CSV: DuckDB parses, this module tells it the dialect and checks its work.

DuckDB 1.5.5 and 2.0.0 lose rows in silence in two cases, both measured. Reading in parallel, a thread that starts
within a quoted field of several lines that look like records took them for records and dropped 326 lines of a valid
file; one thread does not, and costs nothing here, as writing Parquet runs beside it and takes longer. A quote opened
in the middle of a large file and never closed dropped 55,556 of 3,000,000 rows and reported one. So DuckDB is trusted
for which record is bad and where it starts, not for having told all: every physical line is accounted for, and a
file that does not add up is refused whole.

A field is what stands between its delimiters, spaces included; an empty one is NULL, quoted or not. One delimiter too
many at the very end of a line is forgiven.

Belongs here: the header, the dialect, rejected records, the account of lines.
Does not belong here: bytes, gzip and encodings (`files.py`), writing rows (`landing.py`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from dagster_project.sources.csv_account import (
    RejectedRecord,
    count_lines,
    count_quotes,
    line_of_open_quote,
    located_rejects,
    python_dialect,
    unexplained_lines,
)
from dagster_project.sources.engine import private_connection
from dagster_project.sources.files import SourceFile, refuse_binary
from dagster_project.sources.readings import Reject, UnevenLineEndsError, batch_rows
from dagster_project.sources.tables import SourceError, SourceTable, check_column_names, check_required_columns
from dagster_project.sql_text import literal

_MEMORY_LIMIT = "256MB"
"""On one thread DuckDB keeps every buffer that it has read until it needs the room: 1.3 GB of process memory for 13
million lines without this limit, 0.4 GB with it, for 6 million as for 13."""

_REJECTS_SQL = """
    select line_byte_position as position, list_sort(list(distinct error_type::varchar)) as errors,
        min(column_idx) as first_column, max(column_idx) as last_column, first(csv_line order by byte_position) as raw
    from reject_errors group by all order by position
"""


class CsvReading:
    """A CSV file being read; see `Reading`.

    Args:
        table: The table.
        file: The source file, for messages.
        text: The same file as plain UTF-8.

    Raises:
        SourceError: When the header is not as expected.
        UnevenLineEndsError: When lines end in a carriage return alone.
    """

    def __init__(self, table: SourceTable, file: SourceFile, text: Path) -> None:
        self._table, self._file, self._text = table, file, text
        head = refuse_binary(table, file, text)
        self._lines_before, self._header_lines, self.columns = _header(table, file, head)
        self.schema = pa.schema([pa.field(name, pa.string()) for name in self.columns])
        self._count_lines = count_lines(text)
        self.approximate_rows = self._count_lines
        self._connection = private_connection(_MEMORY_LIMIT, spill_to=text.parent / "duckdb")

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The readable rows in file order, streamed: `con.sql` does, `con.execute` of 2.0 would hold all rows."""
        try:
            for batch in self._connection.sql(self._select()).to_arrow_reader(batch_rows(len(self.columns))):
                yield batch.cast(self.schema)
        except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow's, where rows were streamed before it
            if "state machine reached an invalid state" in str(error):
                raise UnevenLineEndsError from None
            first_line = str(error).partition("\n")[0]
            raise self._table.error(
                f"file {self._file.name!r} is not readable as CSV ({first_line}); check delimiter, quote and encoding"
            ) from None

    def rejects(self) -> Iterator[Reject]:
        """The unreadable records in file order.

        Raises:
            SourceError: When the last record is cut off.
        """
        for record in located_rejects(self._text, self._rejected_records(), self._table):
            open_quote = count_quotes(record.raw, self._table) % 2 == 1
            if record.is_last and open_quote:
                raise self._cut(f"a quote opened in line {record.line} is never closed")
            if record.is_last and record.is_short and not record.ends_with_newline:
                raise self._cut(f"its last record, in line {record.line}, has too few fields and no line end")
            yield Reject(record.line, record.reason, record.raw.decode("utf-8", "backslashreplace"))

    def prove_complete(self, landed: Path, rows: int, rejects: Path | None) -> None:
        """Account for every physical line of the file.

        Raises:
            SourceError: When lines are in neither place.
        """
        records = self._count_lines - self._lines_before - self._header_lines
        if rejects is None and rows == records:
            return  # every record takes a line, so one line each is the only way to get there
        missing = unexplained_lines(self._text, self.columns, landed, rejects, records, self._lines_before)
        if missing == 0:
            return
        line = line_of_open_quote(self._text, self._table)
        if line is not None:
            raise self._cut(f"a quote opened in line {line} is never closed")
        raise self._table.error(
            f"file {self._file.name!r} does not add up: {abs(missing)} line(s) belong to no record that could be "
            "read, as quotes are broken or a record is longer than 2 MB; correct it at the source"
        )

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _cut(self, what: str) -> SourceError:
        return self._table.error(f"file {self._file.name!r} is cut: {what}; deliver the whole file again")

    def _select(self) -> str:
        types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        quote = literal(self._table.quote)
        escape = literal(self._table.escape or self._table.quote)
        return (
            f"select * from read_csv({literal(str(self._text))}, auto_detect=false, header={self._table.has_header}, "
            f"columns={{{types}}}, delim={literal(self._table.delimiter)}, quote={quote}, escape={escape}, comment='', "
            f"skip={self._lines_before}, compression='none', hive_partitioning=false, "
            "store_rejects=true, parallel=false)"
        )

    def _rejected_records(self) -> Iterator[RejectedRecord]:
        found = self._connection.execute(_REJECTS_SQL)
        while rows := found.fetchmany(1000):
            for position, errors, first_column, last_column, raw in rows:
                reason = _reason(errors, len(self.columns), first_column, last_column)
                yield RejectedRecord(
                    offset=position - 1,
                    length=len(raw.encode()),
                    reason=reason,
                    is_short="MISSING COLUMNS" in errors,
                )


def _reason(errors: list[str], expected: int, first_column: int | None, last_column: int | None) -> str:
    """DuckDB's errors about one record as one sentence; broken quotes explain any wrong number of fields."""
    if "UNQUOTED VALUE" in errors:
        return "broken quotes"
    if "LINE SIZE OVER MAXIMUM" in errors:
        return "record longer than 2 MB"
    reasons = []
    if "INVALID ENCODING" in errors:
        reasons.append("invalid characters for the encoding")
    if "MISSING COLUMNS" in errors:
        reasons.append(f"too few fields: expected {expected}, found {first_column}")
    if "TOO MANY COLUMNS" in errors:
        reasons.append(f"too many fields: expected {expected}, found {last_column}")
    return "; ".join(reasons) or ", ".join(errors).lower()


def _header(table: SourceTable, file: SourceFile, head: bytes) -> tuple[int, int, tuple[str, ...]]:
    """Lines before the header, lines of the header, and the column names, which are the table's where it has none.

    Raises:
        SourceError: When there is no header or its names cannot be used.
        UnevenLineEndsError: When its line ends in a carriage return alone.
    """
    text = head.decode("utf-8-sig", "surrogateescape")
    stream = io.StringIO(text, newline="")
    before = 0
    while (line := stream.readline()) and (before < table.skip_lines or not line.strip("\r\n")):
        before += 1
    start = stream.tell() - len(line)
    rest = io.StringIO(text[start:], newline="")
    reader = csv.reader(rest, **python_dialect(table))
    try:
        names = next(reader, [])
    except csv.Error as error:
        raise table.error(f"the header of {file.name!r} is not readable ({error}); check delimiter and quote") from None
    if not names and table.has_header:
        raise table.error(f"file {file.name!r} has no header; expected the column names in its first line")
    if "\r" in text[: start + rest.tell()].replace("\r\n", "") or (before and "\r" in text[: start + rest.tell()]):
        raise UnevenLineEndsError
    if not table.has_header:
        return before, 0, table.columns
    place = f"the header of {file.name!r}"
    if any(_has_lone_byte(name) for name in names):
        raise table.error(f"{place} is not {table.encoding}; set the encoding in the settings")
    columns = tuple(name or f"unnamed_{position}" for position, name in enumerate(names, start=1))
    check_column_names(table, columns, place)
    check_required_columns(table, columns, place)
    return before, reader.line_num, columns


def _has_lone_byte(name: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in name)
