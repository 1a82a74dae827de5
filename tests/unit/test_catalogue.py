"""The descriptions that SQL clients show."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from dagster_project.catalogue import describe_table


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create schema marts")
    connection.execute("create table marts.fct_orders (order_key varchar, net_amount decimal(18, 4))")
    return connection


def node(schema: str = "marts", **columns: str) -> dict[str, Any]:
    described = {name: {"description": text} for name, text in columns.items()}
    return {"schema": schema, "alias": "fct_orders", "description": "One row per order.\n", "columns": described}


def comments(con: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    rows = con.execute("select table_name, comment from duckdb_tables() union all "
                       "select column_name, comment from duckdb_columns() where schema_name = 'marts'")  # fmt: skip
    return dict(rows.fetchall())


def test_table_and_columns_are_described(con: duckdb.DuckDBPyConnection) -> None:
    written = describe_table(con, node(order_key="The shop's key,\n  ours.", net_amount="It's net."))
    assert written == 3
    assert comments(con) == {
        "fct_orders": "One row per order.", "order_key": "The shop's key, ours.", "net_amount": "It's net.",
    }  # fmt: skip


def test_a_column_without_words_keeps_none(con: duckdb.DuckDBPyConnection) -> None:
    assert describe_table(con, node(order_key="")) == 1
    assert comments(con)["order_key"] is None


def test_tables_that_are_not_published_are_left_alone(con: duckdb.DuckDBPyConnection) -> None:
    assert describe_table(con, node(schema="intermediate", order_key="key")) == 0


def test_a_described_column_that_is_not_there_is_an_error(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error, match="absent"):
        describe_table(con, node(absent="nothing"))
