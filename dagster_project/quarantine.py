"""The quarantine as a work list: what is refused, since when, how it looks, and what a fix has freed.

It is read from the scratch file of the last build, which stays after the night, and of a night that was blocked too.
What belongs here: reading and comparing. What does not: refusing rows (the staging models), limits (`feed_rules`), how
it looks on a terminal (`oversight_cli`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.settings import Settings
from dagster_project.sources.configured import source_tables
from dagster_project.sources.ledger import read_ledger
from dagster_project.sources.raw_views import rejects_select_sql
from dagster_project.sources.tables import PROVENANCE_COLUMNS, SourceTable
from dagster_project.sql_text import literal
from dagster_project.warehouse import Warehouse, identifier

LONGEST_SHAPE = 60
_NAMED = re.compile(r"`([^`]+)`")


class QuarantineError(RuntimeError):
    """The quarantine cannot be read; the message says what was found and what to do."""


@dataclass(frozen=True)
class Refusals:
    """Refused rows of one model, reason and file; `landed_at` is when that delivery of the file was landed."""

    model: str
    reasons: str
    file: str
    rows: int
    landed_at: dt.datetime | None


@dataclass(frozen=True)
class RefusedRow:
    """One refused row; `fields` holds shapes unless values were asked for."""

    file: str
    row_number: int
    reasons: str
    fields: dict[str, str | None]


@dataclass(frozen=True)
class Change:
    """What became of refused rows of one model and reason: how many there were, how many are accepted, how many are."""

    model: str
    reasons: str
    before: int
    freed: int
    after: int


def refusals(settings: Settings) -> list[Refusals]:
    """What the last build refused: the largest groups first."""
    landed: dict[str, dt.datetime] = {}
    for table in source_tables(settings):
        for load in read_ledger(table, settings.home / "landing"):
            landed[load.load_id] = landed[f"{_unreadable(table)} {load.file}"] = load.loaded_at
    with _opened(settings) as con:
        groups = con.execute(
            f"select model, reasons, file, count(*), any_value(load_id) from ({_all_sql(con, settings)}) "
            "group by model, reasons, file order by count(*) desc, model, reasons, file"
        ).fetchall()
    return [
        Refusals(model, reasons, file, rows, landed.get(load_id or f"{model} {file}"))
        for model, reasons, file, rows, load_id in groups
    ]


def refused_rows(
    settings: Settings,
    model: str,
    *,
    reason: str = "",
    file: str = "",
    limit: int = 20,
    with_values: bool = False,
) -> list[RefusedRow]:
    """Some refused rows of a model, with the fields that their reasons name.

    Args:
        settings: the shop.
        model: as `refusals` names it.
        reason: only rows whose reasons contain this text.
        file: only rows of this file.
        limit: at most so many rows, by file and number.
        with_values: give every field as the source sent it, personal data included; else only the shape of the fields
            that the reasons name, as `9999-99-99`.

    Raises:
        QuarantineError: nothing is refused under that name; the message lists the names that there are.
    """
    with _opened(settings) as con:
        known = [
            name
            for (name,) in con.execute(f"select distinct model from ({_all_sql(con, settings)}) order by 1").fetchall()
        ]
        if model not in known:
            raise QuarantineError(f"nothing of '{model}' is quarantined; there are: {', '.join(known) or 'none'}")
        result = con.execute(
            f"select * from ({_rows_sql(con, settings, model)}) where contains(reasons, $reason) "
            "and ($file = '' or file = $file) order by file, row_number limit $limit",
            {"reason": reason, "file": file, "limit": limit},
        )
        names = [column[0] for column in result.description or ()][3:]
        return [
            RefusedRow(found[0], found[1], found[2], _fields(names, found[3:], found[2], with_values=with_values))
            for found in result.fetchall()
        ]


def shape(text: str) -> str:
    """A text's form without its content: letters as `a` and `A`, digits as `9`, the rest as it is."""
    form = "".join(
        "9" if character.isdigit() else ("A" if character.isupper() else "a") if character.isalpha() else character
        for character in text[:LONGEST_SHAPE]
    )
    return form + ("..." if len(text) > LONGEST_SHAPE else "")


def keep_rows(settings: Settings, path: Path) -> None:
    """Write which rows are refused, and nothing of what is in them, to a Parquet file, for a later comparison."""
    with _opened(settings) as con:
        con.execute(
            f"copy (select model, reasons, file, row_number from ({_all_sql(con, settings)})) "
            f"to {literal(path)} (format parquet)"
        )


def changes_since(settings: Settings, path: Path) -> list[Change]:
    """What became of the rows that `keep_rows` wrote: freed, refused still, or refused for the first time.

    A row is the same when model, file and number are; a file that was delivered again is compared row by row.
    """
    with _opened(settings) as con:
        found = con.execute(
            f"""
            with old as (from read_parquet({literal(path)})), new as ({_all_sql(con, settings)})
            select
                coalesce(old.model, new.model) as model,
                coalesce(old.reasons, new.reasons) as reasons,
                count(old.model) as before,
                count(old.model) filter (where new.model is null) as freed,
                count(new.model) as after
            from old full join new
                on old.model = new.model and old.file = new.file and old.row_number = new.row_number
            group by 1, 2
            order by freed desc, after desc, model, reasons
            """
        ).fetchall()
    return [Change(*row) for row in found]


@contextmanager
def _opened(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The scratch file of the last build, read-only, under the name that its views know."""
    path = Warehouse(settings).scratch_path
    if not path.exists():
        raise QuarantineError(f"no build lies in {path.parent}; run `loyalty run` first")
    with duckdb.connect() as con:
        try:
            con.execute(f"attach {literal(path)} as scratch (read_only)")
        except duckdb.IOException:
            raise QuarantineError(f"{path} is in use by a run; try again when it has ended") from None
        try:
            yield con
        except duckdb.IOException:  # its views name landed files where they lay at the time
            raise QuarantineError(
                f"a landed file is not where the build of {path.parent} read it: the home was moved, or the file taken "
                "away; run `loyalty run` once where it lies now"
            ) from None


def _all_sql(con: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """SELECT of every refused row of every model: `model, reasons, file, row_number, load_id`; no field of a row."""
    parts = [
        f"select {literal(model)} as model, reasons, _file as file, _row_number as row_number, _load_id as load_id "
        f"from scratch.quarantine.{identifier(model)}"
        for model in _models(con)
    ]
    parts += [
        f"select {literal(_unreadable(table))} as model, reason as reasons, file, row_number, "
        f"null as load_id from ({rejects_select_sql([table], settings.home / 'landing')})"
        for table in source_tables(settings)
    ]
    return " union all ".join(parts)


def _rows_sql(con: duckdb.DuckDBPyConnection, settings: Settings, model: str) -> str:
    """SELECT of the refused rows of one model: `file, row_number, reasons`, then the fields as they were sent."""
    for table in source_tables(settings):
        if model == _unreadable(table):
            rejects = rejects_select_sql([table], settings.home / "landing")
            return f"select file, row_number, reason as reasons, raw_line from ({rejects})"
    refused = f"scratch.quarantine.{identifier(model)}"
    loads = {load_id for (load_id,) in con.execute(f"select distinct _load_id from {refused}").fetchall()}
    for table in source_tables(settings):
        if any(load.load_id in loads for load in read_ledger(table, settings.home / "landing")):
            left_out = ", ".join(PROVENANCE_COLUMNS)
            return (
                "select refused._file as file, refused._row_number as row_number, refused.reasons, "
                f"raw.* exclude ({left_out}) from {refused} as refused "
                f"join scratch.raw.{identifier(table.view_name)} as raw "
                "on refused._load_id = raw._load_id and refused._row_number = raw._row_number"
            )
    raise QuarantineError(f"the landing zone no longer holds what {model} refused; run the night again")


def _models(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        "select view_name from duckdb_views() where database_name = 'scratch' and schema_name = 'quarantine' order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def _fields(names: list[str], fields: tuple[Any, ...], reasons: str, *, with_values: bool) -> dict[str, str | None]:
    texts = {name: None if field is None else str(field) for name, field in zip(names, fields, strict=True)}
    if with_values:
        return texts
    named = {part.strip() for group in _NAMED.findall(reasons) for part in group.split(",")}
    chosen = {name: text for name, text in texts.items() if name in named} or texts
    return {name: None if text is None else shape(text) for name, text in chosen.items()}


def _unreadable(table: SourceTable) -> str:
    return f"raw.{table.view_name}"
