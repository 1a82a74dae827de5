"""The tables and views of a database, as tables that a shop could be made of.

Belongs here: which there are, their keys, their rows through the connector's own queries. Does not belong here: files
(`samples.py`), what a column holds (`profiling.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from dagster_project.sources.database import Database, Disconnected
from dagster_project.sources.database_tables import Shape, Wanted, rows_of, shape_of
from dagster_project.sources.tables import SourceError, SourceTable

SCHEMES = re.compile(r"(postgres|postgresql|mysql|mariadb)(\+\w+)?://", re.IGNORECASE)
_OF_THE_SYSTEM = re.compile("information_schema|pg_.*", re.IGNORECASE)
_PLAIN = re.compile(r"[^.\s]+")
_TABLE = "a_table"


@dataclass(frozen=True)
class DatabaseSample:
    """A table or view of a database.

    Attributes:
        database: how it is reached.
        relation: `table`, or `schema.table` where the schema is not the usual one.
    """

    database: Database
    relation: str

    @property
    def name(self) -> str:
        """As the settings name it."""
        return self.relation

    @property
    def subject(self) -> str:
        """The table's name without its schema."""
        return self.relation.rpartition(".")[2]

    @property
    def key(self) -> Sequence[str]:
        """Its primary key; a view has none."""
        return tuple(column.name for column in self._shape.reflected.primary_key.columns)

    @property
    def described(self) -> Mapping[str, Any]:
        """The table and what names its rows."""
        return {"table": self.relation} | ({"key": list(self.key)} if self.key else {})

    def can_follow(self, column: str) -> bool:
        """Whether it is a time in a table that names its rows."""
        import sqlalchemy as sa

        return bool(self.key) and isinstance(self._shape.reflected.columns[column].type, sa.DateTime | sa.Date)

    def batches(self, column: str | None = None, most_rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Its rows as texts, as landing reads them; see `Sample`."""
        wanted = Wanted(columns=(column,) if column else None, limit=most_rows)
        with answered(self.database), self.database.engine() as engine:
            shape = self._shape if column else replace(self._shape, key=tuple(self.key))
            yield from rows_of(engine, shape, wanted)

    @cached_property
    def _shape(self) -> Shape:
        table = SourceTable(self.database.source, _TABLE, Path(), "*.parquet", "parquet")
        with answered(self.database), self.database.engine() as engine:
            return shape_of(engine, table, self.relation, (), None)


def database_samples(database: Database) -> list[DatabaseSample]:
    """The tables and views that the user may see, by name; those whose names need quotes are left out.

    Raises:
        SourceError: the database does not answer, or has none.
    """
    import sqlalchemy as sa

    with answered(database), database.engine() as engine:
        seen = sa.inspect(engine)
        usual = seen.default_schema_name
        schemas = seen.get_schema_names() if engine.dialect.name == "postgresql" else [usual]
        relations = [
            name if schema == usual else f"{schema}.{name}"
            for schema in schemas
            if not _OF_THE_SYSTEM.fullmatch(schema)
            for name in sorted({*seen.get_table_names(schema), *seen.get_view_names(schema)})
            if _PLAIN.fullmatch(name) and _PLAIN.fullmatch(schema)
        ]
    if not relations:
        raise SourceError(
            f"{database.source}: the database has no tables that this user may see; "
            "expected the shop's: grant select on them, or name another database"
        )
    return [DatabaseSample(database, relation) for relation in relations]


@contextmanager
def answered(database: Database) -> Iterator[None]:
    """Turn a database that does not answer into an error that says so; a person waits here, so it is asked once."""
    try:
        with database.plain_faults():
            yield
    except Disconnected as fault:
        raise SourceError(
            f"{database.source}: the database did not answer ({fault}); see that it runs and that the address is right"
        ) from None
