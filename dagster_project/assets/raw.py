"""The raw layer: source files into the landing zone, and the views of a night's build over it.

The work is in `sources`; here it becomes one asset per source table, each with its file as the asset before it.
"""

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from dagster_project.assets.metadata import OWNERS, table_metadata
from dagster_project.partitions import as_of_of, nightly
from dagster_project.settings import Settings
from dagster_project.sources.configured import prepare_simulated, source_tables
from dagster_project.sources.landing import Landed, land
from dagster_project.sources.raw_views import raw_select_sql, rejects_select_sql
from dagster_project.sources.tables import SourceTable
from dagster_project.warehouse import Warehouse


def source_file_assets(settings: Settings) -> list[dg.AssetSpec]:
    """The files that sources send, as the external assets at the head of the lineage."""
    return [
        dg.AssetSpec(
            key=file_key(source, table),
            group_name="sources",
            description=f"Files `{chosen.files}` of source {source}, as the source sends them.",
            owners=OWNERS,
            kinds={"file", chosen.format},
        )
        for source, described in settings.sources.items()
        for table, chosen in described.tables.items()
    ]


def raw_assets(settings: Settings) -> dg.AssetsDefinition:
    """One asset per source table, landed together; landing begins the night's build."""
    specs = [
        dg.AssetSpec(
            key=raw_key(source, table),
            group_name="raw",
            deps=[file_key(source, table)],
            description=(
                f"Every row of `{chosen.files}` as source {source} sent it, column for column, with its origin. "
                "Late or wrong when the file is missing, cut, or lacks a column: the run then stops here."
            ),
            owners=OWNERS,
            kinds={"duckdb", "parquet"},
        )
        for source, described in settings.sources.items()
        for table, chosen in described.tables.items()
    ]
    specs.append(
        dg.AssetSpec(
            key=dg.AssetKey(["raw", "unreadable_rows"]),
            group_name="raw",
            deps=[
                file_key(source, table) for source, described in settings.sources.items() for table in described.tables
            ],
            description="Every record of a source file that could not be read at all, with its line and the reason.",
            owners=OWNERS,
            kinds={"duckdb", "parquet"},
        )
    )

    @dg.multi_asset(name="raw", specs=specs, **nightly(settings), can_subset=False)
    def raw(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        tables, landing = source_tables(settings), settings.home / "landing"
        prepare_simulated(settings)
        landed = {table: _land(context, table, landing) for table in tables}
        warehouse.begin(as_of_of(context), _raw_views(tables, landing), context.run_id)
        with warehouse.connect() as con:
            for table, (counts, seconds) in landed.items():
                yield dg.MaterializeResult(
                    asset_key=raw_key(table.source, table.table),
                    metadata=table_metadata(
                        con,
                        f"scratch.raw.{table.source}__{table.table}",
                        seconds=seconds,
                        files=counts.files_seen,
                        new_files=counts.files_new,
                        unreadable_rows=counts.rejected,
                        bytes=counts.bytes,
                    ),
                )
            yield dg.MaterializeResult(
                asset_key=dg.AssetKey(["raw", "unreadable_rows"]),
                metadata=table_metadata(con, "scratch.raw.unreadable_rows"),
            )

    return raw


def raw_key(source: str, table: str) -> dg.AssetKey:
    """The key of a source table in the raw layer."""
    return dg.AssetKey(["raw", f"{source}__{table}"])


def file_key(source: str, table: str) -> dg.AssetKey:
    """The key of a source table's files."""
    return dg.AssetKey(["sources", f"{source}__{table}"])


def _land(context: dg.AssetExecutionContext, table: SourceTable, landing: Path) -> tuple[Landed, float]:
    began = time.perf_counter()
    counts = land(table, landing, dt.datetime.now(dt.UTC))
    context.log.info(
        f"{table.source}.{table.table}: {counts.rows:,} rows in {counts.files_seen} files, {counts.files_new} new"
    )
    return counts, time.perf_counter() - began


def _raw_views(tables: list[SourceTable], landing: Path) -> dict[str, str]:
    views = {f"{table.source}__{table.table}": raw_select_sql(table, landing) for table in tables}
    unreadable = rejects_select_sql(tables, landing)
    return views | {
        "unreadable_rows": 'select source as source_name, "table" as table_name, file, row_number, reason '
        f"from ({unreadable})"
    }
