"""SQL models of a shop without the rest of a night: landing, the raw views, and the models that are asked for.

What belongs here: what a build of models takes. Not here: checks, Python models and publishing, which `run_night` does
besides; a whole night of a small shop takes five times as long as all its SQL, and fifteen times as long as its facts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from dagster_project.assets.dbt import AFTER_MODELS
from dagster_project.assets.raw import raw_views
from dagster_project.dbt_runner import DbtRunner
from dagster_project.settings import Settings
from dagster_project.sources.configured import connectors, source_tables

BEFORE_MODELS = f"fqn:* !{AFTER_MODELS}"
"""What a night makes in SQL before its Python models: all staging, intermediate and quality tables, and most marts."""


def land(settings: Settings, moment: dt.datetime, feeds: Collection[str] | None = None) -> None:
    """Land what the sources hold now, as of a moment: all tables, or those of some names."""
    for connector in connectors(settings).values():
        for table in connector.tables:
            if feeds is None or table.table in feeds:
                connector.land(table, settings.home / "landing", moment)


def build_models(settings: Settings, as_of: dt.date, select: str, feeds: Collection[str] | None = None) -> DbtRunner:
    """Begin the build of a night over what is landed, and build models; dbt's own tests of them are not run.

    Args:
        settings: of the shop.
        as_of: the night.
        select: a dbt selector.
        feeds: the tables that are landed; None for all.
    """
    tables = [table for table in source_tables(settings) if feeds is None or table.table in feeds]
    dbt = DbtRunner(settings)
    dbt.warehouse.begin(as_of, raw_views(tables, settings), "test")
    built = dbt.build(f"{select} !resource_type:test", as_of)
    assert [result.message for result in built if not result.has_passed] == []
    assert built
    return dbt
