"""Nights on the real data sets: one per shop and as-of, shared by all tests of a worker."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from real_shops import OpenNight, data_folder

from dagster_project.nightly import run_night
from dagster_project.publishing.versions import current_database
from dagster_project.settings import PROJECT_ROOT, load_settings


@pytest.fixture(scope="session")
def open_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenNight]:
    """`open_night(shop, as_of)`: a read-only connection to what that night published."""
    homes: dict[tuple[str, str | None], Path] = {}
    opened: list[duckdb.DuckDBPyConnection] = []
    before = os.environ.get("LOYALTY_DATA")

    def night(shop: str, as_of: str | None = None) -> duckdb.DuckDBPyConnection:
        os.environ["LOYALTY_DATA"] = str(data_folder(shop).parent)
        if (shop, as_of) not in homes:
            home = tmp_path_factory.mktemp(f"{shop}_home")
            settings = load_settings(PROJECT_ROOT / "examples" / f"{shop}.yaml", home=home)
            day = settings.night(dt.date.fromisoformat(as_of) if as_of else None)
            run_night(settings, day, instance=dg.DagsterInstance.ephemeral())
            homes[shop, as_of] = home
        con = duckdb.connect(str(current_database(homes[shop, as_of] / "published")), read_only=True)
        opened.append(con)
        return con

    yield night
    for con in opened:
        con.close()
    if before is None:
        os.environ.pop("LOYALTY_DATA", None)
    else:
        os.environ["LOYALTY_DATA"] = before
