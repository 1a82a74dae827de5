"""Where the real data sets lie, and what a test gets of a night on one."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from dagster_project.assets.churn import churn_settings, churned
from dagster_project.assets.models import model_gate, valued
from dagster_project.settings import PROJECT_ROOT, load_settings

OpenNight = Callable[..., duckdb.DuckDBPyConnection]


def models_of_a_day(night: duckdb.DuckDBPyConnection, shop: str, day: dt.date, folder: Path) -> Path:
    """A copy of a published warehouse with value and churn made anew as of an earlier day.

    Args:
        night: on the published warehouse, whose facts the models read up to that day.
        shop: whose settings they read.
        day: the as-of.
        folder: where the copy is put.
    """
    [(published,)] = night.execute("select path from duckdb_databases() where path is not null").fetchall()
    copy = folder / f"{shop}_{day}.duckdb"
    shutil.copyfile(published, copy)
    settings = load_settings(PROJECT_ROOT / "examples" / f"{shop}.yaml", home=folder)
    with duckdb.connect(str(copy)) as con:
        valued(con, day, settings)
        churned(con, day, churn_settings(settings, model_gate(settings)), settings)
    return copy
