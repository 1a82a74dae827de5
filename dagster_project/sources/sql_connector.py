"""Tables of a database into the landing zone: what changed since, what is gone, what was committed late.

A table with a cursor is read in slices in the order of cursor and key; each slice is landed before the next is asked
for, so that what was read before an interruption is not read again: where to go on is seen from what is landed. A
table without one is read whole and compared. A table without a key is landed whole, and its last state counts.

Belongs here: that order of things, attempts and pauses. Does not belong here: queries (`database_tables.py`), what is
new (`comparison.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.sources.comparison import NUMBER, TIME, Known
from dagster_project.sources.database import Database, Disconnected
from dagster_project.sources.database_tables import Position, Shape, Wanted, rows_of, shape_of
from dagster_project.sources.inbox import Inbox
from dagster_project.sources.landing import Landed, Progress
from dagster_project.sources.tables import DELETED, SourceError, SourceTable, check_column_names, check_required_columns

FEWEST_SUSPICIOUS = 100  # deletions up to here are never too many
_KEYS_A_QUERY = 500
_LONGEST_PAUSE = 60.0
_DELETED_FIELD = pa.field(DELETED, pa.bool_())

T = TypeVar("T")


@dataclass(frozen=True)
class SqlTable:
    """How one table is read.

    Args:
        relation: `table` or `schema.table` in the database.
        key: Columns that name a row; empty lands the table whole each time it differs.
        cursor: Column that grows when a row changes; None compares the whole table.
        overlap: How far behind the furthest landed cursor reading begins: seconds of a time, units of a number. It
            covers transactions that were open while the last night read.
        finds_deletions: Whether the keys are compared too, which finds deletions and rows committed behind the cursor.
        maximum_deleted_share: More rows gone at once than this is an accident, not a deletion.
    """

    relation: str
    key: tuple[str, ...] = ()
    cursor: str | None = None
    overlap: float = 3_600
    finds_deletions: bool = True
    maximum_deleted_share: float = 0.2


@dataclass(frozen=True)
class SqlDatabase:
    """A connector to a database.

    Args:
        tables: The source's tables, each with a folder of its own that nobody else writes.
        database: How to reach it.
        feeds: How each is read, by table name.
        attempts: How often to try what fails because the database does not answer.
        slice_rows: Rows read and landed at once.
        pause: Waits so many seconds; tests do not.
    """

    tables: Sequence[SourceTable]
    database: Database
    feeds: Mapping[str, SqlTable]
    attempts: int = 5
    slice_rows: int = 2_000_000
    pause: Callable[[float], None] = time.sleep

    def land(self, table: SourceTable, landing: Path, loaded_at: datetime, progress: Progress | None = None) -> Landed:
        """Land what is new of a table; see `Connector`."""
        feed, inbox = self.feeds[table.table], Inbox(table, landing, loaded_at)
        with inbox.opened() as scratch, self.database.engine() as engine:
            shape = self.trying(lambda: self._shape(engine, table, feed))
            order = TIME if shape.cursor_kind == "time" else NUMBER
            known = Known(table, landing, feed.key, feed.cursor, order, scratch)
            _Visit(self, engine, table, feed, shape, known, inbox, scratch, progress).run()
        return inbox.sum()

    def examine(self) -> str:
        """Whether the database answers, and has every table."""
        with self.database.engine() as engine:
            for table in self.tables:
                self.trying(partial(self._shape, engine, table, self.feeds[table.table]))
        return f"{len(self.tables)} tables of a database"

    def _shape(self, engine: Any, table: SourceTable, feed: SqlTable) -> Shape:
        shape = shape_of(engine, table, feed.relation, feed.key, feed.cursor)
        place, names = f"table {feed.relation!r}", tuple(shape.types)
        check_column_names(table, names, place)
        check_required_columns(table, names, place)
        if DELETED in {name.casefold() for name in names}:
            raise table.error(
                f"{place} has a column {DELETED!r}, which landing adds; show it through a view without it"
            )
        return shape

    def trying(self, act: Callable[[], T]) -> T:
        """Do what needs the database, again after a pause where it does not answer.

        Raises:
            SourceError: It did not answer in any attempt.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                with self.database.plain_faults():
                    return act()
            except Disconnected as fault:
                if attempt == self.attempts:
                    raise SourceError(
                        f"{self.database.source}: the database did not answer in {attempt} attempts ({fault}); "
                        "see that it runs and can be reached, then run again: what was landed stays, and reading "
                        "goes on from there"
                    ) from None
                self.pause(min(2.0**attempt, _LONGEST_PAUSE))
        raise AssertionError("there is at least one attempt")


@dataclass
class _Visit:
    """One landing of one table."""

    connector: SqlDatabase
    engine: Any
    table: SourceTable
    feed: SqlTable
    shape: Shape
    known: Known
    inbox: Inbox
    scratch: Path
    progress: Progress | None
    rows_read: int = 0

    def run(self) -> None:
        """Read and land; after a delivery that was set aside nothing more, as the cursor would pass over it."""
        if not self.feed.key:
            self._land_whole()
            return
        is_first = self.known.is_empty()
        self._land_changes() if self.feed.cursor else self._land_news(Wanted(), are_new=is_first)
        if self.feed.finds_deletions and not self.inbox.set_aside and not is_first:
            self._compare_keys()
        if self.known.is_empty() and not self.inbox.set_aside:
            pq.write_table(self._landed_schema().append(_DELETED_FIELD).empty_table(), self.inbox.next_file())
            self._land_next()

    def _land_changes(self) -> None:
        mark = self.known.high_water()
        if mark is None:
            wanted: Wanted | None = Wanted(cursor_is="set", limit=self.connector.slice_rows)
        else:
            since = self.known.before(mark, self.feed.overlap)
            wanted = Wanted(since=since, limit=self.connector.slice_rows)
        while wanted is not None and not self.inbox.set_aside:
            last = self._land_news(wanted, until=mark, are_new=mark is None)
            wanted = Wanted(after=last, limit=self.connector.slice_rows) if last else None
        if not self.inbox.set_aside:
            self._land_news(Wanted(cursor_is="null"))

    def _land_news(self, wanted: Wanted, until: str | None = None, *, are_new: bool = False) -> Position | None:
        """Read, compare unless all are new, land; gives the last row read when there may be more behind it."""
        is_ready = are_new and self.table.protection is None
        rows, last = self.connector.trying(lambda: self._read(wanted, self._fresh, is_ready=is_ready))
        target = self.inbox.next_file()
        if rows and is_ready:
            self._fresh.replace(target)
            self._land_next()
        elif rows and self.known.write_news(*self._sealed(self._fresh), target, until, are_new=are_new):
            self._land_next()
        return last if wanted.limit is not None and rows == wanted.limit else None

    def _read(self, wanted: Wanted, target: Path, *, is_ready: bool = False) -> tuple[int, Position | None]:
        """The wanted rows as Parquet; how many, and the last one's place.

        Args:
            wanted: Which.
            target: Where to.
            is_ready: Whether they are landed as they are, and say that they are not deleted.
        """
        names = wanted.columns or tuple(self.shape.types)
        schema, rows, last = pa.schema([self.shape.schema.field(name) for name in names]), 0, None
        written = schema.append(_DELETED_FIELD) if is_ready else schema
        with pq.ParquetWriter(target, written, compression="lz4", use_dictionary=False) as writer:
            for batch in rows_of(self.engine, self.shape, wanted):
                told = [pa.repeat(pa.scalar(False), batch.num_rows)] if is_ready else []
                writer.write_batch(pa.RecordBatch.from_arrays([*batch.columns, *told], schema=written))
                rows += batch.num_rows
                last = batch.slice(batch.num_rows - 1)
                if self.progress is not None:
                    self.progress(self.feed.relation, self.rows_read + rows, 0)
        self.rows_read += rows
        return rows, self._place(last) if last is not None and self.feed.cursor in names else None

    def _place(self, row: pa.RecordBatch) -> Position:
        [values] = row.to_pylist()
        return Position(values[self.feed.cursor], tuple(values[name] for name in self.feed.key))

    def _compare_keys(self) -> None:
        """Land tombstones of what is gone, and the rows that were committed behind the cursor.

        A table that was read whole a moment ago need not be asked for its keys again.
        """
        keys = self._fresh
        if self.feed.cursor:
            keys = self.scratch / "keys.parquet"
            self.connector.trying(lambda: self._read(Wanted(columns=self.feed.key), keys))
        gone = self.known.write_gone(keys, self._landed_schema(), self.inbox.next_file())
        if gone > FEWEST_SUSPICIOUS and gone > self.feed.maximum_deleted_share * (known := self.known.count()):
            raise self.table.error(
                f"{gone:,} of {known:,} known rows are gone from table {self.feed.relation!r}, more than the share "
                f"{self.feed.maximum_deleted_share:g} that is allowed at once; if they were meant to go, raise "
                "'maximum_deleted_share' for this run, else restore the table"
            )
        if gone:
            self._land_next()
        missing = self.known.missing(keys) if self.feed.cursor else []
        for start in range(0, len(missing), _KEYS_A_QUERY):
            if not self.inbox.set_aside:
                self._land_news(Wanted(keys=missing[start : start + _KEYS_A_QUERY]))

    def _land_whole(self) -> None:
        """The whole table in an order that depends on its rows alone, so that the same rows are the same bytes."""
        target = self.table.folder / "whole.parquet"
        self.connector.trying(lambda: self._read(Wanted(), self._fresh))
        self.known.write_sorted(*self._sealed(self._fresh), target)
        self.inbox.land(target)

    def _land_next(self) -> None:
        self.inbox.land(self.inbox.next_file())

    @property
    def _fresh(self) -> Path:
        """Where rows stand as they were read last."""
        return self.scratch / "fresh.parquet"

    def _sealed(self, fresh: Path) -> tuple[Path, pa.Schema]:
        """Rows without direct identifiers, and their columns with the types that the database declares."""
        sealed = self.inbox.sealed(fresh)
        declared = {field.name: field for field in self.shape.schema}
        return sealed, pa.schema([declared.get(field.name, field) for field in pq.read_schema(sealed)])

    def _landed_schema(self) -> pa.Schema:
        """The columns of a landed row, as no row tells."""
        nothing = self.scratch / "nothing.parquet"
        pq.write_table(self.shape.schema.empty_table(), nothing)
        return self._sealed(nothing)[1]
