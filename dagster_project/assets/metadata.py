"""What every layer tells the Dagster UI about a table that it wrote: rows, columns, seconds. Never values of rows."""

from typing import Any

import dagster as dg
import duckdb

from dagster_project.warehouse import count_rows

OWNERS = ["team:loyalty"]


def table_metadata(con: duckdb.DuckDBPyConnection, relation: str, **more: Any) -> dict[str, Any]:
    """Row count and column schema of a table or view of the build, under the names that the UI knows.

    Args:
        con: a connection to the build.
        relation: the qualified name of an existing relation.
        more: further metadata of the asset, such as seconds.
    """
    columns = con.execute(f"describe {relation}").fetchall()
    return {
        "dagster/row_count": count_rows(con, relation),
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name=column[0], type=column[1]) for column in columns]
        ),
        "dagster/relation_identifier": relation,
        **more,
    }
