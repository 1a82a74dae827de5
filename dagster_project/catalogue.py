"""The descriptions of the project's tables and columns, written into the build's catalogue for whoever opens the file.

Belongs here: turning what a dbt node says of itself into comments that every SQL client shows. The texts are in the yml
beside each model. One statement a column in the connection that is open anyway: dbt's own `persist_docs` opens one for
each model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from dagster_project.warehouse import PUBLIC_SCHEMAS, identifier, literal


def describe_table(con: duckdb.DuckDBPyConnection, node: Mapping[str, Any]) -> int:
    """Comment a built table and its columns as its node describes them.

    Args:
        con: an open connection to the build.
        node: of the dbt manifest: schema, alias, description, and columns by name with theirs.

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
    for subject, text in told:
        con.execute(f"comment on {subject} is {literal(text)}")
    return len(told)
