"""The descriptions of the project's tables and columns, written into the build's catalogue for whoever opens the file.

Belongs here: turning what is said of a table into comments that every SQL client shows. The texts stand in the dbt
project: of a model in the yml beside it, of a table that Python writes among the sources of its schema,
`_<schema>__sources.yml`. One statement a column in the connection that is open anyway: dbt's own `persist_docs` opens
one for each model, and leaves sources alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import duckdb
import yaml

from dagster_project.settings import PROJECT_ROOT
from dagster_project.sql_text import literal
from dagster_project.warehouse import PUBLIC_SCHEMAS, identifier

MODELS = PROJECT_ROOT / "dbt_models" / "models"


class NotDescribed(LookupError):
    """A table that Python writes is not among the sources; the message says where it should stand."""


def describe_table(con: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> int:
    """Comment a built table and its columns as its node describes them.

    Args:
        con: an open connection to the build, outside a transaction.
        node: of the dbt manifest, or from `own_table`: schema, alias, description, and columns by name with theirs.

    Returns:
        How many comments were written; 0 for a table that is not published.
    """
    if node["schema"] not in PUBLIC_SCHEMAS:
        return 0
    relation = f"{identifier(node['schema'])}.{identifier(node['alias'])}"
    told = [(f"table {relation}", node["description"])]
    told += [
        (f"column {relation}.{identifier(name)}", column["description"]) for name, column in node["columns"].items()
    ]
    told = [(subject, " ".join(text.split())) for subject, text in told if text]
    con.execute("begin")  # each comment by itself would wait for the disk
    try:
        for subject, text in told:
            con.execute(f"comment on {subject} is {literal(text)}")
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return len(told)


def own_table(schema: str, table: str) -> Mapping[str, Any]:
    """What is said of a table that Python writes, in the form of a node of the dbt manifest.

    Raises:
        NotDescribed: nothing is.
    """
    node = own_tables().get((schema, table))
    if node is None:
        raise NotDescribed(
            f"{schema}.{table} is not described; add it with all its columns to the source '{schema}' in "
            f"dbt_models/models/*/_{schema}__sources.yml"
        )
    return node


@cache
def own_tables() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """Schema and table → what is said of it, of all published tables that Python writes."""
    files = [path for schema in PUBLIC_SCHEMAS for path in sorted(MODELS.glob(f"*/_{schema}__sources.yml"))]
    return {
        (source["schema"], table["name"]): {
            "schema": source["schema"],
            "alias": table["name"],
            "description": table["description"],
            "columns": {column["name"]: column for column in table["columns"]},
        }
        for path in files
        for source in yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
        for table in source["tables"]
    }
