"""The raw layer: source files into the landing zone, and the views of a night's build over it.

The work is in `sources`; here it becomes one asset per source table, each with its file as the asset before it.
"""

import datetime as dt
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from dagster_project.assets.metadata import OWNERS, table_metadata
from dagster_project.checks import record_checks, shown
from dagster_project.dbt_runner import DbtRunner
from dagster_project.partitions import as_of_of, nightly
from dagster_project.publishing.versions import require_own_versions
from dagster_project.settings import Settings
from dagster_project.source_settings import has_deletions
from dagster_project.sources.configured import connectors
from dagster_project.sources.connectors import Connector
from dagster_project.sources.contract import ContractBroken, ContractChange
from dagster_project.sources.forgotten import forgotten_select_sql
from dagster_project.sources.landing import Landed
from dagster_project.sources.raw_views import raw_select_sql, rejects_select_sql
from dagster_project.sources.tables import SourceError, SourceTable
from dagster_project.warehouse import Warehouse
from expectations.suite import CheckResult

MOST_TOLD = 10  # changes of a table that a message spells out
CONTRACT_CHECK = "deliveries_are_written_as_before"
CONTRACT_WHY = (
    "A column that is renamed or retyped, or a code that is new, is empty or unknown in the models that read it."
)
GATHERED = {
    "unreadable_rows": (
        "Every record of a source file that could not be read at all, with its line and the reason.", True, "parquet",
    ),
    "forgotten_records": (
        "Accounts and guests' orders that were erased at their owner's wish, by keyed hash.", False, "csv",
    ),
}  # fmt: skip
"""Raw tables of all sources together: their description, whether they come from the sources' files, their kind."""


def source_file_assets(settings: Settings) -> list[dg.AssetSpec]:
    """The files that sources send, as the external assets at the head of the lineage."""
    return [
        dg.AssetSpec(
            key=file_key(source, table),
            group_name="sources",
            description=f"What source {source} has in {chosen.origin}, as it is there.",
            owners=OWNERS,
            kinds={chosen.kind},
        )
        for source, described in settings.sources.items()
        for table, chosen in described.tables.items()
    ]


def raw_assets(settings: Settings) -> dg.AssetsDefinition:
    """One asset per source table, landed together; landing begins the night's build."""

    @dg.multi_asset(
        name="raw",
        specs=[*_source_table_specs(settings), *_gathered_specs(settings)],
        check_specs=_contract_check_specs(settings),
        **nightly(settings),
        can_subset=False,
    )
    def raw(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        dbt: dg.ResourceParam[DbtRunner],
    ) -> Iterator[Any]:
        require_own_versions(settings.home / "published", settings.business.names)
        landing = settings.home / "landing"
        landed = {
            table: _land(context, connector, table, landing, dbt)
            for connector in connectors(settings).values()
            for table in connector.tables
        }
        warehouse.begin(as_of_of(context), raw_views(list(landed), settings), context.run_id)
        with warehouse.connect() as con:
            results = [contract_result(table, counts, dbt) for table, (counts, _) in landed.items()]
            record_checks(con, results)
            yield from (shown(result) for result in results)
            yield from (_materialised(con, table, *found) for table, found in landed.items())
            for name in GATHERED:
                yield dg.MaterializeResult(
                    asset_key=dg.AssetKey(["raw", name]), metadata=table_metadata(con, f"scratch.raw.{name}")
                )

    return raw


def _source_table_specs(settings: Settings) -> Iterator[dg.AssetSpec]:
    for source, described in settings.sources.items():
        for table, chosen in described.tables.items():
            yield dg.AssetSpec(
                key=raw_key(source, table),
                group_name="raw",
                deps=[file_key(source, table)],
                description=(
                    f"Every row of {chosen.origin} as source {source} sent it, column for column, with its origin. "
                    "Late or wrong when it is missing, cut, or lacks a column: the run then stops here."
                ),
                owners=OWNERS,
                kinds={"duckdb", "parquet"},
            )


def _gathered_specs(settings: Settings) -> Iterator[dg.AssetSpec]:
    """The tables that are gathered from all sources."""
    files = [file_key(source, table) for source, described in settings.sources.items() for table in described.tables]
    for name, (description, is_of_files, kind) in GATHERED.items():
        yield dg.AssetSpec(
            key=dg.AssetKey(["raw", name]),
            group_name="raw",
            deps=files if is_of_files else [],
            description=description,
            owners=OWNERS,
            kinds={"duckdb", kind},
        )


def _contract_check_specs(settings: Settings) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(CONTRACT_CHECK, asset=raw_key(source, table), description=CONTRACT_WHY)
        for source, described in settings.sources.items()
        for table in described.tables
    ]


def _materialised(
    con: duckdb.DuckDBPyConnection, table: SourceTable, counts: Landed, seconds: float
) -> dg.MaterializeResult[Any]:
    """What Dagster is told of a source table that has landed."""
    return dg.MaterializeResult(
        asset_key=raw_key(table.source, table.table),
        metadata=table_metadata(
            con,
            f"scratch.raw.{table.source}__{table.table}",
            seconds=seconds,
            files=counts.files_seen,
            new_files=counts.files_new,
            files_set_aside=list(counts.set_aside),
            unreadable_rows=counts.rejected,
            bytes=counts.bytes,
        ),
    )


def raw_key(source: str, table: str) -> dg.AssetKey:
    """The key of a source table in the raw layer."""
    return dg.AssetKey(["raw", f"{source}__{table}"])


def file_key(source: str, table: str) -> dg.AssetKey:
    """The key of a source table's files."""
    return dg.AssetKey(["sources", f"{source}__{table}"])


def _land(
    context: dg.AssetExecutionContext, connector: Connector, table: SourceTable, landing: Path, dbt: DbtRunner
) -> tuple[Landed, float]:
    began = time.perf_counter()
    try:
        counts = connector.land(table, landing, dt.datetime.now(dt.UTC))
    except ContractBroken as fault:
        raise SourceError(f"{fault}. {_advice(table, fault.changes, dbt)}" if fault.changes else str(fault)) from None
    context.log.info(
        f"{table.source}.{table.table}: {counts.rows:,} rows in {counts.files_seen} files, {counts.files_new} new"
    )
    return counts, time.perf_counter() - began


def raw_views(tables: list[SourceTable], settings: Settings) -> dict[str, str]:
    """The views that a night's build begins with: name and SELECT of each, over what this shop has landed.

    Args:
        tables: of all sources.
        settings: of the shop; its `known_at` leaves out what was landed later.
    """
    landing, known_at = settings.home / "landing", settings.known_at
    marks_deletions = has_deletions(settings.sources)
    views = {
        table.view_name: raw_select_sql(table, landing, known_at, marks_deletions=marks_deletions) for table in tables
    }
    unreadable = rejects_select_sql(tables, landing, known_at)
    return views | {
        "unreadable_rows": 'select source as source_name, "table" as table_name, file, row_number, reason '
        f"from ({unreadable})",
        "forgotten_records": forgotten_select_sql(settings.home),
    }


def contract_result(table: SourceTable, counts: Landed, dbt: DbtRunner) -> CheckResult:
    """Whether new deliveries are written as those before; if not, how they differ, who reads that and what to do."""
    aside = f"set aside: {', '.join(counts.set_aside)}; " if counts.set_aside else ""
    found = "; ".join(f"{change.file}: {change.text}" for change in counts.changes[:MOST_TOLD])
    more = f"; and {len(counts.changes) - MOST_TOLD} more" if counts.changes[MOST_TOLD:] else ""
    return CheckResult(
        layer="raw",
        table=table.view_name,
        name=CONTRACT_CHECK,
        engine="landing",
        why=CONTRACT_WHY,
        cure=_advice(table, counts.changes, dbt),
        severity="warning",
        is_passed=not counts.changes,
        failing_rows=0,
        observed=f"{aside}{found}{more}" or "no change",
    )


def _advice(table: SourceTable, changes: Collection[ContractChange], dbt: DbtRunner) -> str:
    """Which models read what has changed, if anything has, and what to do."""
    follow = f"Have the source restore it, or follow it in the models, their tests and the settings of {table.name}."
    if not changes:
        return follow
    columns = [change.column for change in changes if change.column]
    readers = {column: dbt.readers(table.view_name, column) for column in dict.fromkeys(columns)}
    read = "; ".join(f"'{column}' is read by {', '.join(models)}" for column, models in readers.items() if models)
    unread = "Every model of the feed reads it" if any(not change.column for change in changes) else "No model reads it"
    return f"{read or unread}. {follow}"
