"""A published number under other settings: brings the version's file, the working file of its night and dbt together.

What is tried and how it is compared is in `explaining`, which knows no dbt.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.dbt_compiler import DbtCompiler
from dagster_project.explaining.changes import NotExplained
from dagster_project.explaining.explanation import Explanation, claims_of
from dagster_project.explaining.lineage import Lineage
from dagster_project.explaining.sensitivity import Decisions
from dagster_project.explaining.trial_database import open_trial_database
from dagster_project.explaining.trials import NotMadeAgain, OnTry, Trial, subject_of, try_settings
from dagster_project.publishing.versions import Manifest
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse, without_values


def with_settings_tried(
    con: duckdb.DuckDBPyConnection,
    found: Explanation,
    settings: Settings,
    database: Path,
    manifest: Manifest,
    on_try: OnTry = lambda _: None,
) -> Explanation:
    """An explanation with its number under the other values of all settings that enter it, or with why there are none.

    Nothing is written but a folder of the home that is removed again: several may run at once, beside readers.

    Args:
        con: the version, read-only.
        found: what is known without.
        settings: of the shop, for its project and its engine.
        database: file of the version.
        manifest: of the version: its day and its definitions are the ones in force.
        on_try: told of each value.

    Raises:
        NotExplained: there is no working file of the version's night, or a night that is running holds it.
        DbtFailed: the project cannot be parsed or compiled.
    """
    if not found.untried:
        return found
    subject = subject_of(con, found.metric)
    # a version of earlier code lacks the settings that came since, which stand as they are now
    definitions = {**settings.definitions.model_dump(mode="json"), **manifest.definitions}
    decisions = Decisions(
        claims=claims_of(con, found.metric),
        threshold=settings.decisions.get(found.metric),
        minimum_base=int(definitions["minimum_base"]),
        judges_base=True,
        judges_difference=subject.is_difference,
    )
    try:
        with opened_trial(settings, database, manifest, subject.lines) as trial:
            tried = try_settings(trial, subject, found.untried, definitions, decisions, on_try)
    except NotMadeAgain as fault:
        return replace(found, not_tried=str(fault))
    whole = [told for told in found.told if (told.period_type, told.segment) == (subject.period_type, "all")]
    decided = {name: side for told in whole for name, side in decisions.on(told.estimate).items()}
    return replace(found, tried=(*found.tried, *tried), decisions={**found.decisions, **decided}, untried=())


@contextmanager
def opened_trial(settings: Settings, database: Path, manifest: Manifest, metrics: Collection[str]) -> Iterator[Trial]:
    """Where metrics of a version can be made again.

    Args:
        settings: of the shop.
        database: file of the version.
        manifest: of the version.
        metrics: that are told.

    Raises:
        NotMadeAgain: the version lacks a table or a column that the project's models read.
        NotExplained: there is no working file of the version's night, or a night that is running holds it.
    """
    night = Warehouse(settings).scratch_of(manifest.version)
    if night is None:
        raise NotExplained(
            f"{manifest.version} cannot be made again under other settings: that takes the working file of its night, "
            f"and another night was begun since; `loyalty run --as-of {manifest.as_of}` makes the version anew"
        )
    config, as_of = Warehouse(settings).engine_config(), dt.date.fromisoformat(manifest.as_of)
    with tempfile.TemporaryDirectory(prefix=".trial-", dir=settings.home) as folder:
        dbt = DbtCompiler(settings, Path(folder))
        lineage = Lineage(dbt.manifest())

        def compiled(ids: Collection[str], definitions: Mapping[str, Any]) -> dict[str, str]:
            return dbt.compiled_models([lineage.models[id_].name for id_ in ids], as_of, definitions)

        try:
            with open_trial_database(database, night, config, Path(folder) / "spill", lineage, metrics) as trial:
                yield Trial(trial, lineage, compiled)
        except (duckdb.CatalogException, duckdb.BinderException) as fault:
            raise NotMadeAgain(
                f"{manifest.version} was made by other code, and the models of today read what it has not: "
                f"{without_values(fault)}; `loyalty run --as-of {manifest.as_of}` makes the version anew"
            ) from fault
        except duckdb.IOException as fault:
            raise NotExplained(
                f"{night} cannot be read: {without_values(fault)}; if a night is running, ask again when it has ended"
            ) from fault
