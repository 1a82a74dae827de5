"""A shop folder, a landing zone, and how to read back what was landed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from source_cases import Rows

from dagster_project.sources.landing import raw_select_sql, rejects_select_sql
from dagster_project.sources.tables import SourceTable


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return tmp_path / "landing"


@pytest.fixture
def orders(shop: Path) -> SourceTable:
    return SourceTable("demo", "orders", shop, "orders.csv", "csv", ("order_id", "amount"))


@pytest.fixture
def landed_rows(landing: Path) -> Rows:
    """Rows of a table in file order; `known_at` as in `raw_select_sql`."""

    def read(table: SourceTable, known_at: datetime | None = None) -> list[tuple[Any, ...]]:
        with duckdb.connect() as con:
            return con.execute(
                f"from ({raw_select_sql(table, landing, known_at)}) order by _file, _row_number"
            ).fetchall()

    return read


@pytest.fixture
def rejected_rows(landing: Path) -> Rows:
    """`(row_number, reason, raw_line)` of every rejected row."""

    def read(*tables: SourceTable) -> list[tuple[Any, ...]]:
        with duckdb.connect() as con:
            return con.execute(
                f"select row_number, reason, raw_line from ({rejects_select_sql(tables, landing)}) order by all"
            ).fetchall()

    return read
