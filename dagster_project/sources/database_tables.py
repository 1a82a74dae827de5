"""A database's tables as landing sees them: rows asked for as text, in the order of a cursor and a key.

Every column is cast to text by the database itself, in formats that the session pins: UTC, ISO dates, full digits. So
what arrives is what an export would hold, exact to the last digit, and a value that no other program can hold (a date
`0000-00-00`, a numeric `NaN`, a year 12025) is one refused row in staging and not the end of the night. PostgreSQL
sends rows by its COPY; of MariaDB and MySQL dlt reads them, with server-side cursors and Arrow.

Belongs here: the shape of a table, queries. Does not belong here: connecting (`database.py`), PostgreSQL's stream
(`postgres_copy.py`), what is new (`comparison.py`), landing (`sql_connector.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from dagster_project.sources.postgres_copy import copied
from dagster_project.sources.tables import SourceTable

CursorKind = Literal["time", "number"]

CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class Position:
    """A row by its cursor and key, as text: what comes after it in their order is still to be read."""

    cursor: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """Which rows of a table to read.

    Args:
        since: Rows whose cursor is this or later; None asks for all.
        after: Rows after this one; stronger than `since`.
        cursor_is: Only rows whose cursor is `set`, or `null`.
        keys: Only the rows with these keys.
        limit: At most so many rows.
        columns: Only these columns, as they are named; None asks for all.
    """

    since: str | None = None
    after: Position | None = None
    cursor_is: Literal["any", "set", "null"] = "any"
    keys: Sequence[tuple[str, ...]] | None = None
    limit: int | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Shape:
    """A table as the database describes it: columns with their types, in its order."""

    relation: str
    reflected: Any
    types: dict[str, str]
    key: tuple[str, ...]
    cursor: str | None
    cursor_kind: CursorKind | None

    @property
    def schema(self) -> pa.Schema:
        """Text columns, each with the database's type in its metadata."""
        return pa.schema(
            [pa.field(name, pa.string(), metadata={"source_type": kind}) for name, kind in self.types.items()]
        )


def shape_of(engine: Any, table: SourceTable, relation: str, key: tuple[str, ...], cursor: str | None) -> Shape:
    """What the database says of a table.

    Raises:
        SourceError: The table, its cursor or a column of its key is not there, or the cursor cannot be ordered by.
    """
    import sqlalchemy as sa

    try:
        reflected = _reflected(sa, engine, relation)
    except sa.exc.NoSuchTableError:
        raise table.error(
            f"the database has no table {relation!r}, or this user may not see it; correct 'table' in the settings"
        ) from None
    types = {column.name: _type_name(engine, column) for column in reflected.columns}
    for name in (*key, *([cursor] if cursor else [])):
        if name not in types:
            raise table.error(
                f"table {relation!r} has no column {name!r}, which the settings name as key or cursor; "
                f"found {', '.join(map(repr, types))}"
            )
    kind = _cursor_kind(sa, table, reflected.columns[cursor]) if cursor else None
    return Shape(relation, reflected, types, key, cursor, kind)


def rows_of(engine: Any, shape: Shape, wanted: Wanted) -> Iterator[pa.RecordBatch]:
    """The wanted rows as text, in the order of cursor and key, in batches that take little memory.

    Columns that are asked for without a limit come in any order.
    """
    names = wanted.columns or tuple(shape.types)
    if engine.dialect.name == "postgresql":
        yield from copied(engine, _select(engine, shape.reflected, shape, wanted, names), names)
    else:
        yield from _read_by_dlt(engine, shape, wanted, names)


def _read_by_dlt(engine: Any, shape: Shape, wanted: Wanted, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import sqlalchemy as sa
    from dlt.sources.sql_database import sql_table

    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    schema_name, _, name = shape.relation.rpartition(".")
    resource = sql_table(
        engine,
        table=name,
        schema=schema_name or None,
        metadata=shape.reflected.metadata,
        backend="pyarrow",
        chunk_size=CHUNK_ROWS,
        reflection_level="full",
        type_adapter_callback=lambda _: sa.Text(),
        query_adapter_callback=lambda _, reflected: _select(engine, reflected, shape, wanted, names),
    )
    for found in resource:
        yield from found.select(names).cast(schema).combine_chunks().to_batches()


def _select(engine: Any, reflected: Any, shape: Shape, wanted: Wanted, names: Sequence[str]) -> Any:
    """The query: columns as text under their own names, the wanted rows, a total order."""
    import sqlalchemy as sa

    columns, cursor = reflected.columns, shape.cursor
    query = sa.select(*(_as_text(sa, engine, columns[name]).label(name) for name in names))
    order = [columns[name] for name in (*([cursor] if cursor and wanted.columns is None else []), *shape.key)]
    if wanted.cursor_is != "any":
        is_null = columns[cursor].is_(None)
        query = query.where(is_null if wanted.cursor_is == "null" else ~is_null)
    if wanted.keys is not None:
        alike = [
            sa.and_(*(columns[name] == _given(sa, engine, columns[name], text) for name, text in named))
            for named in (zip(shape.key, key, strict=True) for key in wanted.keys)
        ]
        query = query.where(sa.or_(*alike))
    elif wanted.after is not None:
        query = query.where(_after(sa, engine, order, [wanted.after.cursor, *wanted.after.key]))
    elif wanted.since is not None:
        query = query.where(columns[cursor] >= _given(sa, engine, columns[cursor], wanted.since))
    if wanted.columns is None or wanted.limit is not None:
        query = query.order_by(*order)
    return query.limit(wanted.limit) if wanted.limit is not None else query


def _after(sa: Any, engine: Any, order: list[Any], values: list[str]) -> Any:
    """`(a, b) > (x, y)` written so that every database uses an index on its first column."""
    first, rest = order[0], order[1:]
    value = _given(sa, engine, first, values[0])
    if not rest:
        return first > value
    return sa.and_(first >= value, sa.or_(first > value, _after(sa, engine, rest, values[1:])))


def _given(sa: Any, engine: Any, column: Any, text: str) -> Any:
    """A value that came as text, in the type of its column."""
    if engine.dialect.name == "postgresql":
        return sa.cast(sa.literal(text, sa.String()), column.type)
    return sa.literal(text.removesuffix("+00:00"), sa.String())  # MySQL would round a cast to whole seconds


def _as_text(sa: Any, engine: Any, column: Any) -> Any:
    kind = column.type
    if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum) and type(kind).__name__ != "SET":
        return column
    if engine.dialect.name == "postgresql":
        # COPY writes these as a cast to text would, and casts nothing
        is_written_alike = isinstance(kind, sa.Integer | sa.Numeric | sa.DateTime | sa.Date)
        return column if is_written_alike else sa.cast(column, sa.Text())
    if isinstance(kind, sa.LargeBinary | sa.types._Binary) or type(kind).__name__ == "BIT":
        return sa.func.concat("0x", sa.func.hex(column))
    if type(kind).__name__ == "TIMESTAMP":  # an instant, where DATETIME is a wall time
        return sa.func.concat(sa.cast(column, sa.CHAR()), "+00:00")
    return sa.cast(column, sa.CHAR())


def _reflected(sa: Any, engine: Any, relation: str) -> Any:
    schema_name, _, name = relation.rpartition(".")
    return sa.Table(name, sa.MetaData(schema=schema_name or None), autoload_with=engine, resolve_fks=False)


def _type_name(engine: Any, column: Any) -> str:
    try:
        return str(column.type.compile(engine.dialect))
    except Exception:  # noqa: BLE001 - a type that SQLAlchemy cannot name is still a column
        return type(column.type).__name__


def _cursor_kind(sa: Any, table: SourceTable, column: Any) -> CursorKind:
    if isinstance(column.type, sa.DateTime | sa.Date):
        return "time"
    if isinstance(column.type, sa.Numeric | sa.Integer) and not isinstance(column.type, sa.Float):
        return "number"
    raise table.error(
        f"cursor {column.name!r} is of type {column.type}; expected a time of last change or a number that only grows: "
        "name another column, or none to compare the whole table every night"
    )
