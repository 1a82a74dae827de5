"""From a key as a failed check tells it to the rows that have it: which tables, which landed files, which rows of them.

What belongs here: searching the last build and the published version, on the machine that holds the shop's key. What
does not: what a check tells (`expectations/samples.py`), refused rows (`quarantine`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from dagster_project.keyed_hashes import keyed_hash_sql, set_keys
from dagster_project.publishing.versions import current_database, current_version
from dagster_project.settings import Settings
from dagster_project.sql_text import literal, quoted_identifier
from dagster_project.warehouse import Warehouse

TOLD = re.compile(r"^([a-z][a-z0-9_]*_key)(_hash)?=([0-9a-f]{32})$")
LAYERS = ("marts", "models", "quality", "intermediate", "staging", "raw")
"""Where a key is looked for, in this order: what is published first, as it has the fewest columns to hash."""
MOST_PLACES = 5


class FindError(RuntimeError):
    """A told key leads to no row; the message says what was looked for, where, and what to do."""


@dataclass(frozen=True)
class TableRows:
    """How many rows of a table have the key; of a landed table, the first of them as file and row number."""

    table: str
    rows: int
    places: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Found:
    """A key as it stands in the tables of a build; `value` may hold what a source calls a person by."""

    column: str
    value: str
    build: str
    tables: tuple[TableRows, ...]


def find_rows(settings: Settings, told: str) -> Found:
    """The rows of a key that a check told.

    Args:
        settings: the shop.
        told: `order_key_hash=...` or `customer_key=...`, as the check writes it.

    Raises:
        FindError: it is not written as checks tell keys, no build is there or a run holds it, or no row has the key.
    """
    match = TOLD.match(told.strip())
    if match is None:
        raise FindError(
            f"'{told}' is no key as checks tell it; expected one like order_key_hash= or customer_key= and 32 "
            "hexadecimal digits, without the semicolon after it"
        )
    column, is_hashed, digits = match[1], bool(match[2]), match[3]
    looked: list[str] = []
    for build, path in _builds(settings):
        looked.append(build)
        with _opened(settings, path) as con:
            relations = _relations(con, column)
            value = _value(con, relations, column, digits, is_hashed=is_hashed)
            if value is not None:
                tables = [*_holding(con, relations, column, value), *_landed(con, column, value)]
                return Found(column, value, build, tuple(dict.fromkeys(tables)))
    raise FindError(
        f"no row of {' or of '.join(looked)} has this {column}: the rows were corrected since, or the check ran under "
        "another key of the shop (LOYALTY_KEY); run `loyalty find` where the night ran"
        if looked
        else f"nothing is built or published in {settings.home}; run `loyalty run` first"
    )


def _builds(settings: Settings) -> Iterator[tuple[str, str]]:
    """The work file of a night that did not end, then the published version."""
    warehouse = Warehouse(settings)
    build = warehouse.build()
    if build is not None:
        yield f"the build of {build.as_of}", str(warehouse.path)
    version = current_version(settings.home / "published")
    if version is not None:
        yield f"version {version}", str(current_database(settings.home / "published"))


@contextmanager
def _opened(settings: Settings, path: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A build and the scratch file of the last night, read-only, able to compute keyed hashes."""
    warehouse = Warehouse(settings)
    with duckdb.connect() as con:
        set_keys(con, warehouse.secret())
        try:
            con.execute(f"attach {literal(path)} as warehouse (read_only)")
            if warehouse.scratch_path.exists():
                con.execute(f"attach {literal(warehouse.scratch_path)} as scratch (read_only)")
            yield con
        except duckdb.IOException:
            raise FindError(
                f"the files in {warehouse.work} are in use by a run, or a landed file that they name was taken away; "
                "try again when the run has ended"
            ) from None


def _relations(con: duckdb.DuckDBPyConnection, ending: str, exactly: bool = True) -> list[tuple[str, str]]:
    """Tables and their columns of a name, those of the first layers first; `<model>__judged` is its model's own."""
    rows = con.execute(
        "select database_name, schema_name, table_name, column_name from duckdb_columns() "
        "where database_name in ('warehouse', 'scratch') and list_contains($layers, schema_name) "
        "and not ends_with(table_name, '__judged') "
        "and (column_name = $name or (not $exactly and ends_with(column_name, $name))) "
        "order by list_position($layers, schema_name), table_name, column_name",
        {"layers": list(LAYERS), "name": ending, "exactly": exactly},
    ).fetchall()
    return [(f"{database}.{schema}.{quoted_identifier(table)}", column) for database, schema, table, column in rows]


def _value(
    con: duckdb.DuckDBPyConnection, relations: list[tuple[str, str]], column: str, digits: str, *, is_hashed: bool
) -> str | None:
    """What stands in the column where its hash, or it itself, is what was told."""
    text = f"cast({quoted_identifier(column)} as varchar)"
    told = keyed_hash_sql(text) if is_hashed else text
    for relation, _ in relations:
        found = con.execute(f"select {text} from {relation} where {told} = ? limit 1", [digits]).fetchone()
        if found is not None:
            return str(found[0])
    return None


def _holding(
    con: duckdb.DuckDBPyConnection, relations: list[tuple[str, str]], column: str, value: str
) -> Iterator[TableRows]:
    for relation, _ in relations:
        counted = con.execute(
            f"select count(*) from {relation} where cast({quoted_identifier(column)} as varchar) = ?", [value]
        ).fetchall()
        if counted[0][0]:
            yield TableRows(_short(relation), int(counted[0][0]))


def _landed(con: duckdb.DuckDBPyConnection, column: str, value: str) -> Iterator[TableRows]:
    """The staged rows whose id the key is made of: `order_key` of `order_id`, `point_event_key` of `event_id`."""
    source, colon, own_id = value.partition(":")
    if not colon:
        return
    subject = column.removesuffix("_key")
    for relation, id_column in _relations(con, "_id", exactly=False):
        stem = id_column.removesuffix("_id")
        if not _short(relation).startswith(f"staging.stg_{source}__"):
            continue
        if subject == stem or subject.endswith(f"_{stem}"):
            looked_for = own_id
        elif subject.startswith(f"{stem}_"):  # order_line_key is order_key and the number of the line
            looked_for = own_id.rpartition(":")[0]
        else:
            continue
        places = con.execute(
            f"select _file, _row_number, count(*) over () from {relation} "
            f"where cast({quoted_identifier(id_column)} as varchar) = ? order by 1, 2 limit {MOST_PLACES}",
            [looked_for],
        ).fetchall()
        if places:
            yield TableRows(_short(relation), int(places[0][2]), tuple((file, row) for file, row, _ in places))


def _short(relation: str) -> str:
    return relation.partition(".")[2].replace('"', "")
