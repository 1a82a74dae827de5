"""Looks for what would make tonight fail, before tonight: each finding with its cure.

What belongs here: read-only looks at the machine, the settings, the sources and the published warehouse.
"""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from dagster_project.settings import Settings, SettingsError

LONGEST_SINCE_A_LOOK = dt.timedelta(minutes=15)  # the sensor looks every minute
MINIMUM_FREE_BYTES = 2 * 1024**3
PACKAGES = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations", "pandas")


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is well, and what was seen or must be done."""

    subject: str
    is_well: bool
    text: str


def examine(settings: Settings) -> list[Finding]:
    """Every look, in the order in which a night needs what it looks at."""
    looks: list[tuple[str, Callable[[Settings], str]]] = [
        ("python and packages", _packages),
        ("home", _home),
        ("disk", _disk),
        ("no other run", _lock),
        ("sources", _sources),
        ("personal data", _personal_data),
        ("staging models", _staging),
        ("expectation suites", _suites),
        ("published warehouse", _published),
        ("alerts", _alerts),
    ]
    findings: list[Finding] = []
    for subject, look in looks:
        try:
            findings.append(Finding(subject, True, look(settings)))
        except (OSError, RuntimeError, ValueError, SettingsError, LookupError) as fault:
            findings.append(Finding(subject, False, " ".join(str(fault).split())))
    return findings


def _packages(settings: Settings) -> str:
    if settings.definitions.identity.suggests_merges:
        from dagster_project.matching.model import require_splink

        require_splink()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return f"Python {sys.version.split()[0]}, {versions}"


def _home(settings: Settings) -> str:
    settings.home.mkdir(parents=True, exist_ok=True)
    probe = settings.home / ".doctor"
    probe.write_text("", encoding="utf-8")
    probe.unlink()
    return str(settings.home)


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.home).free
    if free < MINIMUM_FREE_BYTES:
        raise OSError(f"{free / 1024**3:.1f} GiB free at {settings.home}, expected 2 or more; make room")
    return f"{free / 1024**3:.0f} GiB free"


def _lock(settings: Settings) -> str:
    from dagster_project.warehouse import Warehouse

    with Warehouse(settings).exclusive():
        return "none"


def _sources(settings: Settings) -> str:
    from dagster_project.sources.configured import connectors

    return ", ".join(f"{name}: {connector.examine()}" for name, connector in connectors(settings).items())


def _personal_data(settings: Settings) -> str:
    from dagster_project.sources.configured import source_tables
    from dagster_project.sources.ledger import read_ledger
    from dagster_project.sources.protection import looks_like_an_identifier

    count, bare = 0, []
    for table in source_tables(settings):
        landed = [name for load in read_ledger(table, settings.home / "landing")[-1:] for name in load.columns]
        declared = dict(table.protection.identifiers) if table.protection else {}
        count += len(declared)
        bare += [
            f"{table.name}.{name}"
            for name in dict.fromkeys([*table.columns, *landed])
            if name not in declared and looks_like_an_identifier(name)
        ]
    if bare:
        raise LookupError(
            f"{', '.join(bare)} may hold identifiers and would be stored in clear; name them in `identifiers` of their "
            "tables, or rename them"
        )
    return f"{count} columns are hashed at the door"


def _staging(settings: Settings) -> str:
    from dagster_project.shop_project import staged_entities

    staged = staged_entities(settings)
    for source in settings.sources:
        if source not in staged["orders"]:
            raise LookupError(
                f"source '{source}' has no models/staging/{source}/stg_{source}__orders.sql, in dbt_models or in the "
                "shop_folder; without orders it feeds nothing: `loyalty init` writes one"
            )
    return ", ".join(entity for entity, sources in staged.items() if sources)


def _suites(settings: Settings) -> str:
    from dagster_project.checks import CHECKED_LAYERS, suites_of
    from dagster_project.waivers import require_known_rules

    covered = {suite.table for suite in suites_of("raw", settings)}
    tables = {f"{source}__{table}" for source, chosen in settings.sources.items() for table in chosen.tables}
    if tables - covered:
        raise LookupError(f"no expectation suite for raw tables {', '.join(sorted(tables - covered))}")
    require_known_rules(settings, [suite for layer in CHECKED_LAYERS for suite in suites_of(layer, settings)])
    return f"{len(tables)} raw tables covered"


def _published(settings: Settings) -> str:
    from dagster_project.headlines import reading
    from dagster_project.publishing.versions import current_database, current_version

    published: Path = settings.home / "published"
    if current_version(published) is None:
        return "nothing yet; `loyalty run` makes the first version"
    with reading(current_database(published)) as con:
        con.execute("select count(*) from marts.fct_orders").fetchall()
    return f"{current_version(published)} opens"


def _alerts(settings: Settings) -> str:
    from dagster_project.alerting.outbox import read_heartbeat

    channels = len(settings.alerts.channels)
    if not channels:
        return "no channel is set, so nobody is told of a failed night; `alerts.channels` in the settings names some"
    named = f"{channels} channel{'s' if channels > 1 else ''}"
    heartbeat = read_heartbeat(settings.home / "alerts")
    cure = "turn alerts_sensor on, or `loyalty alerts check`"
    if heartbeat is None:
        raise LookupError(f"{named}, and nobody has looked yet: {cure}")
    age = heartbeat.age(dt.datetime.now(dt.UTC))
    if heartbeat.undelivered:
        raise LookupError(f"{named}; not delivered: {'; '.join(heartbeat.undelivered)}")
    if age > LONGEST_SINCE_A_LOOK:
        raise LookupError(f"{named}; the last look was {age.total_seconds() / 60:.0f} minutes ago: {cure}")
    problems = f"{heartbeat.count_open} open problem{'' if heartbeat.count_open == 1 else 's'}"
    return f"{named}, the last look was {age.total_seconds():.0f} seconds ago, {problems}"
