"""The standard tables as `tables.yml` declares them.

Belongs here: the declaration, and the settings of a table that follow from it. Does not belong here: SQL (`models.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

DECLARATION = Path(__file__).with_name("tables.yml")
WITH_PARENT = "parent"
Need = Literal["filled", "present", "optional"]
_NEEDS: dict[str, Need] = {"!": "filled", ")": "optional"}


@dataclass(frozen=True)
class StandardColumn:
    """A column of a standard table.

    Attributes:
        name: as in the entity.
        kind: how it is read.
        need: whether it must be there and filled, there, or may be missing.
    """

    name: str
    kind: str
    need: Need


@dataclass(frozen=True)
class StandardTable:
    """A standard table; its attributes are the keys of `tables.yml`, which says what they mean.

    `happens_with_parent` is whether its rows take place when their parent does; `happened_at` is empty then.
    """

    name: str
    title: str
    key: tuple[str, ...]
    columns: Mapping[str, StandardColumn]
    happened_at: tuple[str, ...]
    happens_with_parent: bool
    latest_by: str | None
    parent: Mapping[str, Any] | None
    defaults: Mapping[str, str]
    known_from: Mapping[str, str]
    one_of: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, str]
    amount: str | None
    identifiers: Mapping[str, str]
    identifies: Mapping[str, str]

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return tuple(name for name, column in self.columns.items() if column.need != "optional")

    @property
    def optional(self) -> tuple[str, ...]:
        """The columns that may be missing."""
        return tuple(name for name, column in self.columns.items() if column.need == "optional")


@cache
def standard_tables() -> Mapping[str, StandardTable]:
    """The tables by name."""
    told = yaml.safe_load(DECLARATION.read_text(encoding="utf-8"))["tables"]
    return {name: _table(name, declared) for name, declared in told.items()}


def _table(name: str, told: Mapping[str, Any]) -> StandardTable:
    happened = told.get("happened_at", [])
    return StandardTable(
        name=name,
        title=told["title"],
        key=tuple(told["key"]),
        columns={column: _column(column, kind) for column, kind in told["columns"].items()},
        happened_at=() if happened == WITH_PARENT else tuple(happened),
        happens_with_parent=happened == WITH_PARENT,
        latest_by=told.get("latest_by"),
        parent=told.get("parent"),
        defaults=told.get("defaults", {}),
        known_from=told.get("known_from", {}),
        one_of={column: tuple(codes) for column, codes in told.get("one_of", {}).items()},
        refused=told.get("refused", {}),
        amount=told.get("amount"),
        identifiers=told.get("identifiers", {}),
        identifies=told.get("identifies", {}),
    )


def _column(name: str, told: str) -> StandardColumn:
    return StandardColumn(name, told.strip("()!"), _NEEDS.get(told[-1], "present"))


def settings_of_table(name: str, given: Mapping[str, Any], connector: str) -> dict[str, Any]:
    """The settings of a table of a standard source, with what its declaration says where a shop says nothing.

    Args:
        name: of the table.
        given: what the shop's settings say of it.
        connector: of the source.

    Raises:
        ValueError: no standard table has the name.
    """
    table = standard_tables().get(name)
    if table is None:
        raise ValueError(f"'{name}' is no standard table; expected one of {', '.join(standard_tables())}")
    told: dict[str, Any] = {"columns": table.required, "optional_columns": table.optional}
    if table.identifiers:
        told |= {"identifiers": dict(table.identifiers), "identifies": dict(table.identifies)}
    if connector == "files":
        told["files"] = f"{name}.csv"
    if connector == "sql":
        told["key"] = table.key
    return told | dict(given)
