"""The connectors of the sources that a shop's settings name, each with its tables.

Belongs here: from settings to connectors and `SourceTable`. Does not belong here: bringing and reading
(`connectors.py` and its siblings), what a setting may be (`dagster_project.source_settings`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagster_project.settings import Settings, expand_folder
from dagster_project.source_settings import Feed, FileFeed, FileSource, RestSource, SimulatedSource, SqlSource
from dagster_project.sources.connectors import Connector, LocalFiles, RemoteFiles, SimulatedFiles
from dagster_project.sources.identifiers import Spelling
from dagster_project.sources.protection import Protection
from dagster_project.sources.remote_files import SCHEME, Store
from dagster_project.sources.simulated_shop import Dirt, ShopPlan
from dagster_project.sources.tables import FixedField, SourceTable


def connectors(settings: Settings) -> dict[str, Connector]:
    """The connector of every source, by the source's name, in the order of the settings.

    Raises:
        SettingsError: a folder names a variable that is not set.
        SourceError: a table's description contradicts itself.
    """
    return {name: _MAKERS[type(source)](name, source, settings) for name, source in settings.sources.items()}


def source_tables(settings: Settings) -> list[SourceTable]:
    """Every table of every source, in the order of the settings; raises as `connectors`."""
    return [table for connector in connectors(settings).values() for table in connector.tables]


def _of_files(name: str, source: FileSource, settings: Settings) -> Connector:
    if not source.folder.startswith(SCHEME):
        folder = expand_folder(source.folder, settings.home)
        return LocalFiles([_file_table(settings, name, table, feed, folder) for table, feed in source.tables.items()])
    tables = [
        _file_table(settings, name, table, feed, _inbox(settings.home, name, table))
        for table, feed in source.tables.items()
    ]
    return RemoteFiles(tables, Store(url=source.folder, **source.store.model_dump()))


def _of_simulation(name: str, source: SimulatedSource, settings: Settings) -> Connector:
    shop, folder = source.simulated, settings.home / "simulated" / name
    plan = ShopPlan(customers=shop.customers, days=shop.days, last_day=shop.last_day, seed=shop.seed)
    tables = [_file_table(settings, name, table, feed, folder) for table, feed in source.tables.items()]
    return SimulatedFiles(tables, plan, Dirt(shop.dirt), folder)


def _of_database(name: str, source: SqlSource, settings: Settings) -> Connector:
    from dagster_project.sources.database import Database
    from dagster_project.sources.sql_connector import SqlDatabase, SqlTable

    return SqlDatabase(
        tables=[
            SourceTable(
                **_promised(settings, name, table, feed), folder=_inbox(settings.home, name, table),
                files="*.parquet", format="parquet", is_snapshot=not feed.key,
            )
            for table, feed in source.tables.items()
        ],
        database=Database(name, source.url_variable, source.timeout_seconds),
        feeds={
            table: SqlTable(
                relation=feed.table or table,
                key=feed.key,
                cursor=feed.cursor,
                overlap=feed.overlap,
                finds_deletions=feed.finds_deletions,
                maximum_deleted_share=feed.maximum_deleted_share,
            )
            for table, feed in source.tables.items()
        },
        attempts=source.attempts,
        slice_rows=source.slice_rows,
    )  # fmt: skip


def _of_service(name: str, source: RestSource, settings: Settings) -> Connector:
    from dagster_project.sources.declarations import read_declaration
    from dagster_project.sources.rest_connector import RestService

    return RestService(
        tables=[
            SourceTable(
                **_promised(settings, name, table, feed),
                folder=_inbox(settings.home, name, table),
                files="*.parquet",
                format="parquet",
            )
            for table, feed in source.tables.items()
        ],
        declaration=read_declaration(name, source.declaration, source.values),
        resources={table: feed.resource or table for table, feed in source.tables.items()},
        base_url=source.base_url,
        token_variable=source.token_variable,
        attempts=source.attempts,
        timeout_seconds=source.timeout_seconds,
        slice_rows=source.slice_rows,
    )


_MAKERS: dict[type, Callable[[str, Any, Settings], Connector]] = {
    FileSource: _of_files,
    SimulatedSource: _of_simulation,
    SqlSource: _of_database,
    RestSource: _of_service,
}


def _file_table(settings: Settings, source: str, table: str, feed: FileFeed, folder: Path) -> SourceTable:
    return SourceTable(
        **_promised(settings, source, table, feed),
        folder=folder,
        files=feed.files,
        format=feed.format,
        delimiter=feed.delimiter,
        quote=feed.quote,
        escape=feed.escape,
        has_header=feed.has_header,
        skip_lines=feed.skip_lines,
        sheet=feed.sheet,
        is_snapshot=feed.is_snapshot,
        encoding=feed.encoding,
        fields=tuple(FixedField(field.name, field.start, field.width) for field in feed.fields),
    )


def _promised(settings: Settings, source: str, table: str, feed: Feed) -> dict[str, Any]:
    """What is described alike for every kind of feed."""
    return {
        "source": source,
        "table": table,
        "columns": feed.columns,
        "optional_columns": feed.optional_columns,
        "is_optional": feed.is_optional,
        "when_changed": feed.when_changed,
        "enumerations": feed.enumerations,
        "protection": _protection(settings, feed),
    }


def _protection(settings: Settings, feed: Feed) -> Protection | None:
    """What is done with a table's direct identifiers; nothing where it names none."""
    if not feed.identifiers:
        return None
    return Protection(
        home=settings.home,
        identifiers=tuple(feed.identifiers.items()),
        identifies=next(iter(feed.identifies.items()), None),
        spelling=spelling_of(settings),
        keeps_originals=settings.privacy.originals == "kept",
    )


def spelling_of(settings: Settings) -> Spelling:
    """What the shop takes for the same address and the same number."""
    privacy = settings.privacy
    return Spelling(
        calling_code=privacy.calling_code,
        trunk_prefix=privacy.trunk_prefix,
        dotless_domains=privacy.dotless_domains,
        has_tags=privacy.has_tags,
    )


def _inbox(home: Path, source: str, table: str) -> Path:
    """Where a connector puts what it brought, until landing has read it."""
    return home / "inbox" / source / table
