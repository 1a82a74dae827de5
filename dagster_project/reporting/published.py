"""Reading a published version: its database, opened for reading only, and the manifest beside it.

What does not belong here: which aggregates are read (`queries.py`), and making versions (layer `publish`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

Row: TypeAlias = dict[str, Any]


class ReportError(RuntimeError):
    """The page cannot be made; the message says what was found and what to do."""


@dataclass(frozen=True)
class Published:
    """A version that is open for reading.

    Attributes:
        con: a read-only connection.
        manifest: what the version says of itself.
        as_of: the business day that it describes.
        currency: the reporting currency; None before the first order.
    """

    con: duckdb.DuckDBPyConnection
    manifest: Row
    as_of: dt.date
    currency: str | None

    def rows(self, query: str, **parameters: Any) -> list[Row]:
        """The rows of an aggregate, each a mapping of column to content.

        Raises:
            ReportError: the version lacks a table or a column.
        """
        return _rows(self.con, query, parameters)

    def row(self, query: str, **parameters: Any) -> Row:
        """The only row of an aggregate."""
        [found] = self.rows(query, **parameters)
        return found


@contextmanager
def open_published(database: Path, version: str) -> Iterator[Published]:
    """Open a version for reading.

    Args:
        database: its DuckDB file, `manifest.json` beside it.
        version: which version the caller takes it for.

    Raises:
        ReportError: there is no such file, it has no readable manifest, or the manifest is of another version.
    """
    manifest_path = database.parent / "manifest.json"
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        as_of = dt.date.fromisoformat(manifest["as_of"])
        found = str(manifest["version"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ReportError(
            f"{manifest_path} is no manifest of a version ({fault!r}); run `loyalty run` again"
        ) from fault
    if found != version:
        raise ReportError(f"{manifest_path} is of version {found}, expected {version}; name one of `loyalty versions`")
    if not database.exists():
        raise ReportError(f"{database} does not exist; run `loyalty run` again, or roll back with `loyalty rollback`")
    with duckdb.connect(str(database), read_only=True) as con:
        [currency] = _rows(con, "select min(currency_code) as code from marts.fct_orders", {})
        yield Published(con, manifest, as_of, currency["code"])


def _rows(con: duckdb.DuckDBPyConnection, query: str, parameters: Row) -> list[Row]:
    try:
        answer = con.execute(query, parameters)
    except (duckdb.CatalogException, duckdb.BinderException) as fault:
        raise ReportError(
            f"the version does not hold what the page reads: {str(fault).splitlines()[0]}; "
            "it was built by other code, run that night again with `loyalty run --as-of`"
        ) from fault
    columns = [column[0] for column in answer.description or ()]
    return [dict(zip(columns, found, strict=True)) for found in answer.fetchall()]
