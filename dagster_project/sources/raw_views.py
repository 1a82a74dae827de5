"""SQL over the landing zone: the SELECT behind each `raw` view and behind the list of unreadable rows.

Belongs here: which Parquet files stand for a table at a moment.
Does not belong here: creating the views (the raw assets), anything about what columns mean (staging).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from dagster_project.sources.ledger import current_loads, rejects_path, rows_path, table_folder
from dagster_project.sources.tables import DELETED, PROVENANCE_COLUMNS, SourceTable
from dagster_project.sql_text import literal, quoted_identifier

_PROVENANCE_TYPES = ("VARCHAR", "VARCHAR", "TIMESTAMP", "VARCHAR", "BIGINT")
_REJECT_COLUMNS = (
    ("source", "VARCHAR"),
    ("table", "VARCHAR"),
    ("file", "VARCHAR"),
    ("row_number", "BIGINT"),
    ("reason", "VARCHAR"),
    ("raw_line", "VARCHAR"),
)


def raw_select_sql(
    table: SourceTable, landing: Path, known_at: datetime | None = None, *, marks_deletions: bool = False
) -> str:
    """SELECT of all current rows of a table: the source's columns, then the provenance columns.

    A column that some deliveries lack is NULL in their rows, and so is an optional one that all lack. Rows come in no
    promised order: sort by `_file` and `_row_number` where order matters.

    Args:
        table: The table.
        landing: Root of the landing zone.
        known_at: Only what was landed until then; None for all.
        marks_deletions: Whether `_is_deleted` is there even where no load has it; it is null then.

    Raises:
        SourceError: When nothing is landed and the table is not optional.
    """
    loads = current_loads(table, landing, known_at)
    if not loads:
        if not table.is_optional:
            moment = f" by {known_at.isoformat()}" if known_at else ""
            cure = "choose a later moment" if known_at else "land its files first"
            raise table.error(f"nothing was landed{moment}; expected at least one load: {cure}")
        beside = table.protection.columns_beside() if table.protection else ()
        return _empty_select(
            [(name, "VARCHAR") for name in (*table.columns, *table.optional_columns, *beside)]
            + ([(DELETED, "BOOLEAN")] if marks_deletions else [])
            + list(zip(PROVENANCE_COLUMNS, _PROVENANCE_TYPES, strict=True))
        )
    columns: dict[str, str] = {}
    for load in loads:
        for name in load.columns:
            columns.setdefault(name.casefold(), name)
    folder = table_folder(table, landing)
    selected = ", ".join(quoted_identifier(name) for name in (*columns.values(), *PROVENANCE_COLUMNS))
    for name in table.optional_columns:
        if name.casefold() not in columns:
            selected += f", cast(null as varchar) as {quoted_identifier(name)}"
    if marks_deletions and DELETED not in columns:
        selected += f", cast(null as boolean) as {DELETED}"
    return f"select {selected} from {_parquet([rows_path(folder, load.load_id) for load in loads])}"


def rejects_select_sql(tables: Iterable[SourceTable], landing: Path, known_at: datetime | None = None) -> str:
    """SELECT of every row that could not be read: `source, table, file, row_number, reason, raw_line`.

    `row_number` is the physical line in the uncompressed file, as the record has no place among the rows read.
    """
    parts = [_empty_select(list(_REJECT_COLUMNS))]
    for table in tables:
        folder = table_folder(table, landing)
        paths = [
            rejects_path(folder, load.load_id) for load in current_loads(table, landing, known_at) if load.rejected
        ]
        if paths:
            parts.append(
                f'select _source as "source", {literal(table.table)} as "table", _file as "file", '
                f'_row_number as "row_number", reason, raw_line from {_parquet(paths)}'
            )
    return " union all ".join(parts)


def _parquet(paths: list[Path]) -> str:
    files = ", ".join(literal(str(path)) for path in paths)
    return f"read_parquet([{files}], union_by_name=true, hive_partitioning=false)"


def _empty_select(columns: list[tuple[str, str]]) -> str:
    typed = ", ".join(f"cast(null as {kind}) as {quoted_identifier(name)}" for name, kind in columns)
    return f"select {typed} where false"
