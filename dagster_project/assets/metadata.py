"""What every layer tells the Dagster UI about a table that it wrote: rows, columns, seconds. Never values of rows."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import duckdb

from dagster_project.catalogue import describe_table, own_table
from dagster_project.replaced_tables import count_rows

OWNERS = ["team:loyalty"]
Columns = Mapping[str, Mapping[str, Any]]


def table_spec(schema: str, table: str, deps: Iterable[dg.AssetKey], group_name: str = "models") -> dg.AssetSpec:
    """The asset of a published table that Python writes, described as `own_table` has it.

    Args:
        schema: of the build.
        table: its name.
        deps: what it is made of.
        group_name: the layer that makes it.
    """
    return dg.AssetSpec(
        [schema, table],
        deps=list(deps),
        description=own_table(schema, table)["description"],
        group_name=group_name,
        owners=OWNERS,
        kinds={"python", "duckdb"},
    )


def table_written(con: duckdb.DuckDBPyConnection, key: dg.AssetKey, **more: Any) -> dg.MaterializeResult[None]:
    """Comment a table that Python has written, and tell the UI of it.

    Args:
        con: a connection to the build.
        key: schema and table.
        more: further metadata of the asset, such as seconds.
    """
    schema, table = key.path
    node = own_table(schema, table)
    describe_table(con, node)
    metadata = table_metadata(con, f"{schema}.{table}", node["columns"], **more)
    return dg.MaterializeResult(asset_key=key, metadata=metadata)


def table_metadata(
    con: duckdb.DuckDBPyConnection, relation: str, described: Columns | None = None, **more: Any
) -> dict[str, Any]:
    """Row count and column schema of a table or view of the build, under the names that the UI knows.

    Args:
        con: a connection to the build.
        relation: the qualified name of an existing relation.
        described: column → its description, where there is one.
        more: further metadata of the asset, such as seconds.
    """
    words = described or {}
    columns = con.execute(f"describe {relation}").fetchall()
    return {
        "dagster/row_count": count_rows(con, relation),
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name=column[0], type=column[1], description=words.get(column[0], {}).get("description") or None
                )
                for column in columns
            ]
        ),
        "dagster/relation_identifier": relation,
        **more,
    }
