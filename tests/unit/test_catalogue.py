"""The descriptions that SQL clients show."""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb
import pytest

from dagster_project.assets.metadata import table_written
from dagster_project.catalogue import NotDescribed, describe_table, own_table, own_tables


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
        describe_table(con, node(order_key="The key.", absent="nothing"))
    assert set(comments(con).values()) == {None}


def test_a_table_that_python_writes_is_commented_and_told_to_the_ui(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create schema models; create table models.text_themes (stands_beside varchar, text_key varchar,"
                " theme_key varchar, strength double)")  # fmt: skip
    told = table_written(con, dg.AssetKey(["models", "text_themes"]), seconds=1.5)
    described = own_table("models", "text_themes")
    words = {name: column["description"] for name, column in described["columns"].items()}
    rows = con.execute("select column_name, comment from duckdb_columns() where schema_name = 'models'").fetchall()
    assert dict(rows) == words
    assert con.execute("select comment from duckdb_tables() where schema_name = 'models'").fetchall() == [
        (described["description"],)
    ]
    assert told.metadata is not None
    shown = told.metadata["dagster/column_schema"]
    assert isinstance(shown, dg.TableSchema)
    assert {column.name: column.description for column in shown.columns} == words
    assert told.metadata["seconds"] == 1.5


def test_a_table_that_nobody_described_is_refused_with_the_place_for_it() -> None:
    with pytest.raises(NotDescribed, match=r"models\.moods is not described; add it.*_models__sources\.yml"):
        own_table("models", "moods")


def test_every_description_is_a_sentence_of_its_own_column() -> None:
    told = {
        f"{schema}.{table}.{name}": column["description"]
        for (schema, table), node in own_tables().items()
        for name, column in node["columns"].items()
    }
    assert [name for name, text in told.items() if len(text.split()) < 2 or not text.endswith(".")] == []
    assert [name for name, text in told.items() if " ".join(text.split()) != text] == []
