"""DuckDB as a tool of the readers: private, in memory, silent.

Belongs here: how such a connection is opened. Does not belong here: the warehouse (`dagster_project/warehouse.py` opens
that one).
"""

from __future__ import annotations

from pathlib import Path

import duckdb


def private_connection(memory_limit: str = "1GB", spill_to: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A new in-memory database that prints no progress bar, which DuckDB 2.0 does even where no one watches.

    Args:
        memory_limit: As DuckDB writes it.
        spill_to: Folder for what does not fit; by default a long query then fails.
    """
    connection = duckdb.connect(config={"temp_directory": str(spill_to) if spill_to else ""})
    connection.execute(f"set memory_limit='{memory_limit}'; set enable_progress_bar=false")
    return connection
