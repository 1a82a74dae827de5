"""Rows of a query as PostgreSQL's own COPY sends them: text on a wire, without a row ever being a Python object.

One thread takes lines off the wire and puts them into a pipe, the other makes Arrow of them; when the reader is behind,
the pipe is full and the server waits, so memory stays where it is. A null is an empty field without quotes, an empty
text one with them.

Belongs here: that stream. Does not belong here: the query and what is text in it (`database_tables.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from threading import Thread
from typing import Any

import pyarrow as pa
from pyarrow import csv

BLOCK_BYTES = 16 * 1024**2  # several are in memory at once; a row must fit into one
_PIPE_BYTES = 1024**2


def copied(engine: Any, query: Any, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a SQLAlchemy select whose columns are texts, in its order.

    Args:
        engine: Of a PostgreSQL database, through psycopg2.
        query: The select.
        names: Of its columns.

    Raises:
        sqlalchemy.exc.DBAPIError: Whatever the server or the connection refuses.
        ValueError: A row is longer than a block.
        pyarrow.ArrowInvalid: A text is no UTF-8.
    """
    with engine.connect() as con:
        stream = _Stream(con, _statement(con, query))
        try:
            yield from _batches(stream, names)
        finally:
            stream.close()
        stream.raise_fault()


def _statement(con: Any, query: Any) -> str:
    """The COPY of a query, whose values the driver writes into it, as COPY takes none."""
    compiled = query.compile(dialect=con.dialect)
    with con.connection.driver_connection.cursor() as cursor:
        text = cursor.mogrify(str(compiled), compiled.construct_params() or {"": None}).decode()
    return f"copy ({text}) to stdout (format csv, encoding 'UTF8')"


def _batches(stream: _Stream, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        reader = csv.open_csv(
            stream.reading,
            csv.ReadOptions(column_names=list(names), block_size=BLOCK_BYTES),
            csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        yield from reader
    except pa.ArrowInvalid as fault:
        stream.close()
        stream.raise_fault()  # what the server says of an end in the middle of a row is the better reason
        if "straddling" in str(fault):
            raise ValueError(
                f"a row is longer than {BLOCK_BYTES:,} bytes, the most that is read; expected shorter ones: "
                "show the table through a view without its longest column"
            ) from None
        if "Empty CSV file" not in str(fault):
            raise


class _Stream:
    """A COPY under way, and the end of the pipe that its lines come out of."""

    def __init__(self, con: Any, statement: str) -> None:
        self._con, self._statement = con, statement
        self._fault: Exception | None = None
        read, write = os.pipe()
        self.reading = os.fdopen(read, "rb", buffering=_PIPE_BYTES)
        self._copying = Thread(target=self._copy, args=(write,), daemon=True)
        self._copying.start()

    def close(self) -> None:
        """Let go of the pipe; a server that still sends is told that nobody reads."""
        self.reading.close()
        self._copying.join()

    def raise_fault(self) -> None:
        """Raise what ended the COPY early, in SQLAlchemy's words, as of any other statement."""
        fault, self._fault = self._fault, None
        if fault is None or isinstance(fault, BrokenPipeError):
            return
        import sqlalchemy as sa

        dialect = self._con.dialect
        is_gone = dialect.is_disconnect(fault, self._con.connection.driver_connection, None)
        raise sa.exc.DBAPIError.instance(
            "copy", None, fault, dialect.loaded_dbapi.Error, connection_invalidated=is_gone, dialect=dialect
        )

    def _copy(self, write: int) -> None:
        try:
            driver = self._con.connection.driver_connection
            with os.fdopen(write, "wb", buffering=_PIPE_BYTES) as lines, driver.cursor() as cursor:
                cursor.copy_expert(self._statement, lines)
        except Exception as fault:  # noqa: BLE001 - raised where the rows are read
            self._fault = fault
