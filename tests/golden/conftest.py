"""Nights on the real data sets: one per shop, shared by all tests of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from made_once import made_once
from real_data import data_folder
from real_shops import OpenNight

from dagster_project.nightly import run_night
from dagster_project.publishing.versions import current_database
from dagster_project.settings import PROJECT_ROOT, load_settings


@pytest.fixture(scope="session")
def open_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenNight]:
    """`open_night(shop)`: a read-only connection to what the night of its settings published."""
    opened: list[duckdb.DuckDBPyConnection] = []
    before = os.environ.get("LOYALTY_DATA")

    def run(shop: str, home: Path) -> None:
        home.mkdir(exist_ok=True)
        settings = load_settings(PROJECT_ROOT / "examples" / f"{shop}.yaml", home=home)
        run_night(settings, settings.night(), instance=dg.DagsterInstance.ephemeral())

    def night(shop: str) -> duckdb.DuckDBPyConnection:
        os.environ["LOYALTY_DATA"] = str(data_folder(shop).parent)
        home = made_once(tmp_path_factory, f"{shop}_home", partial(run, shop))
        con = duckdb.connect(str(current_database(home / "published")), read_only=True)
        opened.append(con)
        return con

    yield night
    for con in opened:
        con.close()
    if before is None:
        os.environ.pop("LOYALTY_DATA", None)
    else:
        os.environ["LOYALTY_DATA"] = before
