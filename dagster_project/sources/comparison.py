"""What is new among rows that a source has just sent, by comparison with what is landed: no second book is kept.

Rows come and go as Parquet. Of each key the version landed last is the known one. A row like its known version is
nothing new; any other is a new version; a key that the source no longer has is landed once more as a tombstone: the row
as it was known, with `_is_deleted` true. Staging may then name rows by other columns than the database does.

Belongs here: SQL over the landing zone and a Parquet of fresh rows. Does not belong here: reading the source, landing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.sources.engine import private_connection
from dagster_project.sources.landing import current_loads, raw_select_sql
from dagster_project.sources.tables import DELETED, PROVENANCE_COLUMNS, SourceTable
from dagster_project.sql_text import literal, quoted_identifier

TIME = "timestamptz"
NUMBER = "decimal(38, 0)"
_LANDED_ORDER = "_loaded_at desc, _file desc, _row_number desc"


@dataclass(frozen=True)
class Known:
    """What is landed of a table, to be compared with.

    Args:
        table: The table.
        landing: Root of the landing zone.
        key: Columns that name a row.
        cursor: Column that grows when a row changes, or None.
        cursor_type: DuckDB type in which the cursor's text is ordered.
        scratch: Folder for what does not fit in memory.
    """

    table: SourceTable
    landing: Path
    key: tuple[str, ...]
    cursor: str | None
    cursor_type: str
    scratch: Path

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with private_connection(spill_to=self.scratch / "duckdb") as con:
            con.execute("set timezone='UTC'")  # else texts of times are in the machine's zone
            yield con

    def is_empty(self) -> bool:
        """Whether nothing is landed yet."""
        return not current_loads(self.table, self.landing)

    def high_water(self) -> str | None:
        """The cursor's text of the landed row that is furthest; None when there is none."""
        if self.cursor is None or self.is_empty():
            return None
        column = quoted_identifier(self.cursor)
        with self._opened() as con:
            [(text,)] = con.execute(
                f"select arg_max({column}, {self._typed(column)}) from ({self._landed()}) "
                f"where {self._typed(column)} is not null"
            ).fetchall()
        return text

    def before(self, mark: str, overlap: float) -> str:
        """The cursor that lies `overlap` before a mark: seconds of a time, units of a number."""
        typed = self._typed(literal(mark))
        step = f"to_seconds({overlap!r})" if self.cursor_type == TIME else repr(overlap)
        shown = "timestamp" if self.cursor_type == TIME else self.cursor_type
        with self._opened() as con:
            [(text,)] = con.execute(f"select cast(cast({typed} - {step} as {shown}) as varchar)").fetchall()
        return str(text)

    def write_news(
        self, fresh: Path, schema: pa.Schema, target: Path, until: str | None = None, *, are_new: bool = False
    ) -> int:
        """Write the rows of `fresh` that are no known version; gives how many there are.

        Args:
            fresh: Parquet of rows as text, in their order.
            schema: Of its columns.
            target: Parquet to write: those and `_is_deleted`, false in every row.
            until: Rows with a later cursor cannot be known, and are not looked for; None looks for all.
            are_new: None of them can be known.
        """
        rows = f"read_parquet({literal(str(fresh))}, file_row_number=true, hive_partitioning=false)"
        columns = ", ".join(quoted_identifier(name) for name in schema.names)
        if are_new or self.is_empty():
            select = f"select {columns}, false as {DELETED} from {rows} order by file_row_number"
        else:
            compared = "true"
            if until is not None and self.cursor is not None:
                typed, reached = self._typed(quoted_identifier(self.cursor)), self._typed(literal(until))
                compared = f"coalesce({typed} <= {reached}, true)"
            same = " and ".join(
                f"known.{quoted_identifier(name)} is not distinct from fresh.{quoted_identifier(name)}"
                for name in schema.names
            )
            select = (
                f"with fresh as (from {rows}), known as ({self._versions(schema.names, 'fresh', compared)}) "
                f"select {columns}, false as {DELETED} from fresh "
                f"where not ({compared}) or not exists (select 1 from known where {same}) order by file_row_number"
            )
        return self._write(select, target, schema)

    def write_gone(self, keys: Path, schema: pa.Schema, target: Path) -> int:
        """Write a tombstone for each key that is known and no longer in `keys`; gives how many.

        Args:
            keys: Parquet with the key columns of every row that the source has.
            schema: Of a landed row's columns.
            target: Parquet to write, when there is any.
        """
        if self.is_empty():
            return 0
        select = (
            f"with there as ({self._keys_in(keys)}), gone as (select distinct {self._key_list()} "
            f"from ({self._landed()}) as landed where not exists (select 1 from there where {self._same('there')})) "
            f"select *, true as {DELETED} from ({self._versions(schema.names, 'gone')}) order by {self._key_list()}"
        )
        return self._write(select, target, schema)

    def count(self) -> int:
        """How many rows are known, of those that are not deleted."""
        if self.is_empty():
            return 0
        with self._opened() as con:
            [(count,)] = con.execute(
                f"select count(*) from (select 1 from ({self._landed()}) group by {self._key_list()} "
                f"having not {self._is_gone()})"
            ).fetchall()
        return int(count)

    def write_sorted(self, fresh: Path, schema: pa.Schema, target: Path) -> int:
        """Write all rows of `fresh` in the order of their columns: the same rows give the same bytes."""
        columns = ", ".join(quoted_identifier(name) for name in schema.names)
        select = f"select {columns}, false as {DELETED} from read_parquet({literal(str(fresh))}) order by all"
        rows = self._write(select, target, schema)
        if not rows:
            pq.write_table(schema.append(pa.field(DELETED, pa.bool_())).empty_table(), target)
        return rows

    def missing(self, keys: Path) -> list[tuple[str, ...]]:
        """Keys that the source has and the landing zone has not, or as deleted: rows committed behind the cursor."""
        missing = there = self._keys_in(keys)
        if not self.is_empty():
            missing = (
                f"with there as ({there}), landed as ({self._landed()}), "
                f"deleted as (select distinct {self._key_list()} from landed where {DELETED}), "
                f"gone as (select {self._key_list()} from landed where exists (select 1 from deleted where "
                f"{self._same('deleted')}) group by all having {self._is_gone()}) "
                f"select * from there where not exists (select 1 from landed where {self._same('there')}) "
                f"or exists (select 1 from gone where {self._same('there', 'gone')})"
            )
        with self._opened() as con:
            return con.execute(f"{missing} order by all").fetchall()

    def _versions(self, names: list[str], wanted: str, where: str = "true") -> str:
        """The known versions of the keys in a relation, of its rows where a condition holds.

        A column that was never landed is null in them.
        """
        landed = self._landed_columns()
        chosen = ", ".join(
            quoted_identifier(name) if name in landed else f"cast(null as varchar) as {quoted_identifier(name)}"
            for name in names
        )
        return (
            f"select {chosen} from (from ({self._landed()}) as landed "
            f"where exists (select 1 from {wanted} where {self._same(wanted)} and {where}) "
            f"qualify row_number() over (partition by {self._key_list()} order by {_LANDED_ORDER}) = 1) "
            f"where not coalesce({DELETED}, false)"
        )

    def _landed(self) -> str:
        return raw_select_sql(self.table, self.landing)

    def _keys_in(self, keys: Path) -> str:
        return f"select {self._key_list()} from read_parquet({literal(str(keys))}, hive_partitioning=false)"

    def _same(self, left: str, right: str = "landed") -> str:
        """That two relations speak of one row."""
        return " and ".join(
            f"{left}.{name} is not distinct from {right}.{name}" for name in map(quoted_identifier, self.key)
        )

    @staticmethod
    def _is_gone() -> str:
        """Of all landed versions of a key, whether the newest is a tombstone."""
        return f"coalesce(arg_max({DELETED}, (_loaded_at, _file, _row_number)), false)"

    def _key_list(self) -> str:
        return ", ".join(quoted_identifier(name) for name in self.key)

    def _landed_columns(self) -> set[str]:
        return {name for load in current_loads(self.table, self.landing) for name in load.columns} - {
            *PROVENANCE_COLUMNS
        }

    def _typed(self, text: str) -> str:
        return f"try_cast({text} as {self.cursor_type})"

    def _write(self, select: str, target: Path, schema: pa.Schema) -> int:
        """Write a query's rows under the source's schema; nothing is written where there are none."""
        written = schema.append(pa.field(DELETED, pa.bool_()))
        rows, writer = 0, None
        with self._opened() as con:
            for batch in con.sql(select).to_arrow_reader(100_000):
                if not batch.num_rows:
                    continue
                writer = writer or pq.ParquetWriter(target, written, compression="lz4")
                writer.write_batch(batch.cast(written))
                rows += batch.num_rows
        if writer is not None:
            writer.close()
        return rows
