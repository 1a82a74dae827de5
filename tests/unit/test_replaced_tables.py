"""Tables that frames are put in place of: whole or not at all, under declared types and checked names."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest

from dagster_project.replaced_tables import replace_table
from dagster_project.warehouse import WarehouseError, identifier


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("create schema marts")
    return con


def test_a_table_is_replaced_under_its_declared_types(con: duckdb.DuckDBPyConnection) -> None:
    columns = {"customer_key": "varchar not null", "score": "decimal(5, 2)"}
    assert (
        replace_table(con, "marts", "scores", pd.DataFrame({"customer_key": ["a", "b"], "score": [1, 2]}), columns) == 2
    )
    more = pd.DataFrame({"score": [3.14], "customer_key": ["c"], "unused": [0]})
    assert replace_table(con, "marts", "scores", more, columns) == 1
    assert con.execute("select customer_key, score::varchar from marts.scores").fetchall() == [("c", "3.14")]


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"customer_key": ["a", None]}),
        pd.DataFrame({"customer": ["a"]}),
    ],
)
def test_a_replacement_that_fails_leaves_the_table_as_it_was(
    rows: pd.DataFrame, con: duckdb.DuckDBPyConnection
) -> None:
    columns = {"customer_key": "varchar not null"}
    replace_table(con, "marts", "scores", pd.DataFrame({"customer_key": ["kept"]}), columns)
    with pytest.raises(duckdb.Error):
        replace_table(con, "marts", "scores", rows, columns)
    assert con.execute("from marts.scores").fetchall() == [("kept",)]
    assert con.execute("select count(*) from duckdb_views() where view_name = 'replacing_rows'").fetchall() == [(0,)]
    assert replace_table(con, "marts", "scores", pd.DataFrame({"customer_key": ["next"]}), columns) == 1


@pytest.mark.parametrize("name", ["", "Orders", "1st", "a b", 'a"; drop table x; --', "a.b", "ä", "a\n"])
def test_a_name_that_would_need_quotes_is_refused(name: str, con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(WarehouseError, match="cannot be a name in the warehouse; use lower-case letters, digits and _"):
        identifier(name)
    with pytest.raises(WarehouseError):
        replace_table(con, "marts", name, pd.DataFrame({"a": [1]}), {"a": "integer"})
