"""Tables of the build that Python makes: replaced whole or not at all, under declared types.

What belongs here: putting frames in place of tables, in one transaction. What does not: opening the build
(`warehouse`), making the frames (`assets`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb

from dagster_project.warehouse import identifier


def replace_table(
    con: duckdb.DuckDBPyConnection, schema: str, table: str, rows: Any, columns: Mapping[str, str]
) -> int:
    """Put `rows` in place of a table, in one transaction, under declared column types; says how many there are.

    Args:
        con: a connection to the build.
        schema: an existing schema.
        table: the table's name.
        rows: a pandas or Arrow frame that has at least the declared columns.
        columns: column → DuckDB type, in the table's order.
    """
    return replace_table_in_batches(con, schema, table, [rows], columns)


def replace_table_in_batches(
    con: duckdb.DuckDBPyConnection, schema: str, table: str, batches: Iterable[Any], columns: Mapping[str, str]
) -> int:
    """As `replace_table`, from frames that are made one after another, so that not all rows are in memory at once.

    Args:
        con: a connection to the build.
        schema: an existing schema.
        table: the table's name.
        batches: frames that have at least the declared columns; what makes them may read from a cursor of `con`.
        columns: column → DuckDB type, in the table's order.
    """
    with _closed_at_the_end(batches):
        replace_tables_in_batches(con, schema, ({table: rows} for rows in batches), {table: columns})
    return count_rows(con, f"{identifier(schema)}.{identifier(table)}")


def replace_tables_in_batches(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    batches: Iterable[Mapping[str, Any]],
    tables: Mapping[str, Mapping[str, str]],
) -> None:
    """As `replace_table_in_batches`, for tables whose rows are made together: all are replaced, or none.

    Args:
        con: a connection to the build.
        schema: an existing schema.
        batches: table → frame that has at least the declared columns; what makes them may read from a cursor of `con`.
        tables: table → column → DuckDB type, in the table's order.
    """
    names = {table: f"{identifier(schema)}.{identifier(table)}" for table in tables}
    chosen = {
        table: ", ".join(
            f"cast({identifier(column)} as {kind.removesuffix(' not null')})" for column, kind in columns.items()
        )
        for table, columns in tables.items()
    }
    con.execute("begin")
    try:
        for table, columns in tables.items():
            declared = ", ".join(f"{identifier(column)} {kind}" for column, kind in columns.items())
            con.execute(f"create or replace table {names[table]} ({declared})")
        with _closed_at_the_end(batches):
            for batch in batches:
                for table, rows in batch.items():
                    con.register("replacing_rows", rows)
                    con.execute(f"insert into {names[table]} select {chosen[table]} from replacing_rows")
                    con.unregister("replacing_rows")
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        con.unregister("replacing_rows")
        raise


@contextmanager
def _closed_at_the_end(batches: Iterable[Any]) -> Iterator[None]:
    """Close what makes batches, read to its end or not.

    An Arrow reader that is left in the middle keeps its database open though its connection was closed, for as long as
    the error that ended the reading is remembered.
    """
    try:
        yield
    finally:
        close = getattr(batches, "close", None)  # of generators and of Arrow's readers
        if close is not None:
            close()


def count_rows(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """The rows of a table whose name has been checked."""
    [(rows,)] = con.execute(f"select count(*) from {table}").fetchall()
    return int(rows)
