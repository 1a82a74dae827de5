"""Parquet copies of a version's tables, for engines that do not read DuckDB files.

What belongs here: writing them and proving that each holds what its table holds. What does not: when a version has
them, and making them last (`versions.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from dagster_project.sql_text import literal

if TYPE_CHECKING:
    from dagster_project.publishing.versions import Manifest

COPIED_SCHEMAS = ("marts", "models")


class CopyFailed(RuntimeError):
    """A copy does not hold what its table holds; the message names both."""


def write_copies(database: Path, folder: Path, manifest: Manifest) -> list[Path]:
    """One file a table, `folder/<schema>/<table>.parquet`; gives them in the manifest's order.

    Args:
        database: the version's closed file.
        folder: where they go; made when absent.
        manifest: names the tables and their rows.

    Raises:
        CopyFailed: a file that was read back has other columns or another number of rows than its table.
    """
    copies: list[Path] = []
    with duckdb.connect(str(database), read_only=True) as con:
        for table, facts in manifest.tables.items():
            schema, _, name = table.partition(".")
            if schema not in COPIED_SCHEMAS:
                continue
            copy = folder / schema / f"{name}.parquet"
            copy.parent.mkdir(parents=True, exist_ok=True)
            file = literal(copy)
            con.execute(f"copy {table} to {file} (format parquet, compression zstd)")
            [(rows,)] = con.execute(f"select count(*) from read_parquet({file}, hive_partitioning=false)").fetchall()
            columns = [
                [column[0] for column in con.execute(f"describe from {relation}").fetchall()]
                for relation in (table, f"read_parquet({file}, hive_partitioning=false)")
            ]
            if rows != facts["rows"] or columns[0] != columns[1]:
                raise CopyFailed(
                    f"{copy} holds {rows} rows of {len(columns[1])} columns, {table} {facts['rows']} of "
                    f"{len(columns[0])}; is the disk well? Run the night again"
                )
            copies.append(copy)
    return copies
