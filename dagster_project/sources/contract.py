"""The contract of a feed: what a delivery has changed since the one before, and what the feed's policy makes of it.

Belongs here: comparing columns, types and enumerated values of deliveries. Does not belong here: reading files
(`load_writer.py`), landing them (`landing.py`), which models read a column (`assets/raw.py`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dagster_project.sources.engine import private_connection
from dagster_project.sources.ledger import Load, rows_path
from dagster_project.sources.tables import SourceError, SourceTable
from dagster_project.sql_text import literal, quoted_identifier

Kind = Literal["new", "missing", "renamed", "retyped", "new_value", "rewritten", "shrunk"]
ALIKE = 0.6  # of difflib's ratio: `order_status` and `status` have 0.67, `order_id` and `order_date` 0.56
MOST_VALUES = 10  # a shifted column brings more new values than a new code does
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,29}")


@dataclass(frozen=True)
class ContractChange:
    """One difference between a delivery and the one before it.

    Attributes:
        file: the delivered file.
        kind: what has changed.
        column: the column; of a renamed one its old name; empty where it is all of them.
        text: the change in words, without content of rows but for the codes of an enumerated column.
    """

    file: str
    kind: Kind
    column: str
    text: str


class ContractBroken(SourceError):
    """A delivery that may not be landed; `changes` says how it differs from the one before."""

    def __init__(self, message: str, changes: Iterable[ContractChange]) -> None:
        super().__init__(message)
        self.changes = tuple(changes)


def column_changes(file: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[ContractChange]:
    """New, missing, renamed and retyped columns.

    A missing column and a new one count as renamed when their names are alike, or when both are the only ones and stand
    in the same place; that is a guess, and said to be one.

    Args:
        file: the delivered file.
        before: columns of the earlier delivery with their DuckDB types, in file order.
        after: those of this one; an empty type is not known and counts as the same.
    """
    missing = [name for name in before if name not in after]
    new = [name for name in after if name not in before]
    renamed = _renamed(missing, new, list(before), list(after))
    changes = [
        ContractChange(
            file, "renamed", old, f"column '{old}' is missing and '{name}' is new, which looks like a rename"
        )
        for old, name in renamed.items()
    ]
    changes += [
        ContractChange(file, "missing", name, f"column '{name}' is missing") for name in missing if name not in renamed
    ]
    changes += [
        ContractChange(file, "new", name, f"column '{name}' is new") for name in new if name not in renamed.values()
    ]
    changes += [
        ContractChange(file, "retyped", name, f"column '{name}' was {before[name]} and is {kind}")
        for name, kind in after.items()
        if kind and name in before and kind != before[name]
    ]
    return changes


def _renamed(missing: list[str], new: list[str], before: list[str], after: list[str]) -> dict[str, str]:
    """Old name → new name, each at most once, the most alike pairs first."""
    pairs = sorted(
        ((difflib.SequenceMatcher(None, old.casefold(), name.casefold()).ratio(), old, name)
         for old in missing for name in new),
        reverse=True,
    )  # fmt: skip
    found: dict[str, str] = {}
    for ratio, old, name in pairs:
        if ratio >= ALIKE and old not in found and name not in found.values():
            found[old] = name
    if not found and len(missing) == len(new) == 1 and before.index(missing[0]) == after.index(new[0]):
        found[missing[0]] = new[0]
    return found


def new_values(
    table: SourceTable, folder: Path, file: str, rows: Path, earlier: Iterable[Load]
) -> list[ContractChange]:
    """Values of the enumerated columns of a delivery that no earlier one had; none before the first.

    Args:
        table: names the enumerated columns.
        folder: the table's landing folder.
        file: the delivered file.
        rows: the delivery's Parquet.
        earlier: the loads to compare with.
    """
    paths = [rows_path(folder, load.load_id) for load in earlier]
    changes: list[ContractChange] = []
    with private_connection() as con:
        for column in table.enumerations if paths else ():
            known, brought = (
                f"select distinct cast({quoted_identifier(column)} as varchar) as code from read_parquet("
                f"[{', '.join(literal(str(path)) for path in chosen)}], union_by_name=true, hive_partitioning=false)"
                for chosen in (paths, [rows])
            )
            found = [
                code
                for (code,) in con.execute(
                    f"select code from ({brought}) where code is not null and trim(code) <> '' "
                    f"and code not in (select code from ({known}) where code is not null) "
                    f"order by code limit {MOST_VALUES + 1}"
                ).fetchall()
            ]
            if found:
                changes.append(ContractChange(file, "new_value", column, _told(column, found)))
    return changes


def _told(column: str, codes: list[str]) -> str:
    """New codes by name; what does not look like a code, or comes in numbers, is not quoted: it may be a person's."""
    if len(codes) > MOST_VALUES:
        return f"column '{column}' has more than {MOST_VALUES} new values, as a column in the wrong place has"
    quoted = [f"'{code}'" for code in codes if _CODE.fullmatch(code)]
    others = len(codes) - len(quoted)
    more = [f"{others} that {'is' if others == 1 else 'are'} no code"] if others else []
    return f"column '{column}' has new values: {', '.join([*quoted, *more])}"


def refuse(table: SourceTable, changes: list[ContractChange], since: Load | None) -> ContractBroken:
    """The error of a delivery that a frozen contract does not allow."""
    message = f"file {changes[0].file!r} breaks a frozen contract: {told(changes, since)}"
    return ContractBroken(str(table.error(message)), changes)


def told(changes: Iterable[ContractChange], since: Load | None) -> str:
    """Changes in one line, and since which delivery."""
    moment = f"since the load of {since.loaded_at:%Y-%m-%d %H:%M} UTC " if since else ""
    return moment + "; ".join(change.text for change in changes)
