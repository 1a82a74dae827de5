"""What every layer tells the Dagster UI about a table that it wrote: rows, columns, seconds. Never values of rows."""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb

OWNERS = ["team:loyalty"]
TABLE_POOL = "warehouse"


def table_metadata(con: duckdb.DuckDBPyConnection, relation: str, **more: Any) -> dict[str, Any]:
    """Row count and column schema of a table or view of the build, under the names that the UI knows.

    Args:
        con: a connection to the build.
        relation: the qualified name of an existing relation.
        more: further metadata of the asset, such as seconds.
    """
    counted = con.execute(f"select count(*) from {relation}").fetchone()
    columns = con.execute(f"describe {relation}").fetchall()
    return {
        "dagster/row_count": int(counted[0]) if counted else 0,
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name=column[0], type=column[1]) for column in columns]
        ),
        "dagster/relation_identifier": relation,
        **more,
    }
