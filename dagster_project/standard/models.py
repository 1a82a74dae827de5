"""The staging models of standard tables, as texts, from their declaration; they are written when dbt parses.

Belongs here: from a table's declaration to the words that the template needs. Does not belong here: the declaration
(`tables.yml`), where the texts are put (`shop_project.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

from dagster_project.bracket_templates import bracket_environment
from dagster_project.column_words import description_of
from dagster_project.standard.tables import StandardColumn, StandardTable, standard_tables

TEMPLATES = Path(__file__).with_name("templates")
_MOMENT = "coalesce({{ local_to_utc(moment('raw.$')) }}, {{ instant('raw.$') }})"
_DAY = "{{ calendar_day('raw.$') }}"
KINDS: Mapping[str, tuple[str, str | None]] = {
    "text": ("{{ text('raw.$') }}", None),
    "code": ("lower({{ text('raw.$') }})", None),
    "capitals": ("upper({{ text('raw.$') }})", None),
    "hash": ("{{ pseudonym('raw.$') }}", None),
    "moment": (_MOMENT, "a time like 2025-01-31 13:45:00"),
    "day": (_DAY, "a day like 2025-01-31"),
    "whole": ("{{ whole_number('raw.$') }}", "a whole number"),
    "money": ("{{ number('raw.$') }}", "a number"),
    "rate": ("try_cast({{ text('raw.$') }} as {{ rate() }})", "a number"),
    "share": ("try_cast({{ text('raw.$') }} as double)", "a number"),
    "flag": ("{{ flag('raw.$') }}", "true or false"),
}
"""By kind: how a raw column `$` is read, and what a refusal says that was expected; None where any text is right."""
TOOK_PLACE = "took_place_at"
PROVENANCE = ("source_name", "_file", "_loaded_at", "_load_id", "_row_number")


def standard_models(source: str, sent: Collection[str]) -> dict[str, str]:
    """The files of a source's staging models, by name, and their texts.

    Args:
        source: name of the source.
        sent: its tables.
    """
    tables = [standard_tables()[name] for name in sent]
    raw = [{"name": f"{source}__{table.name}", "description": table.title} for table in tables]
    described = {"sources": [{"name": "raw", "database": "scratch", "schema": "raw", "tables": raw}]}
    texts = {f"_{source}__sources.yml": yaml.safe_dump(described, sort_keys=False)}
    for table in tables:
        model = f"stg_{source}__{table.name}"
        columns = [{"name": name, "description": description_of(name)} for name in model_columns(table)]
        told = {"models": [{"name": model, "description": f"One row of {table.title}.", "columns": columns}]}
        texts[f"{model}.yml"] = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
        texts[f"{model}.sql"] = _template().render(_told(source, table))
    return texts


def model_columns(table: StandardTable) -> list[str]:
    """The columns of a table's staging model, in order."""
    mailbox = ["mailbox"] if "email" in table.identifiers else []
    return [*table.columns, *mailbox, *(table.parent or {}).get("gives", ()), *PROVENANCE]


@cache
def _template() -> jinja2.Template:
    return bracket_environment(TEMPLATES).get_template("entity.sql.j2")


def _told(source: str, table: StandardTable) -> dict[str, Any]:
    columns = [(name, _column_sql(table, column)) for name, column in table.columns.items()]
    if "email" in table.identifiers:
        columns.append(("mailbox", KINDS["hash"][0].replace("$", "email__mailbox")))
    took_place, happened_at = _happened(table)
    amount = _expression(_column_sql(table, table.columns[table.amount])) if table.amount else None
    return {
        "source": source,
        "table": table,
        "columns": columns,
        "took_place": took_place,
        "happened_at": happened_at,
        "amount": amount,
        "refusals": _refusals(table),
        "parent": _parent(table),
    }


def _read(column: StandardColumn) -> str:
    """SQL with dbt's marks that reads a column of the raw row as its kind."""
    return KINDS[column.kind][0].replace("$", column.name)


def _filled_in(table: StandardTable, sql: str) -> str:
    """SQL with the columns, as they are read, in the place of their names in braces."""
    return re.sub(r"(?<!\{)\{(\w+)\}(?!\})", lambda found: _read(table.columns[found.group(1)]), sql)


def _column_sql(table: StandardTable, column: StandardColumn) -> str:
    sql = _read(column)
    if column.kind == "flag":
        sql = f"coalesce({sql}, false)"
    if column.name in table.defaults:
        sql = f"coalesce({sql}, {_filled_in(table, table.defaults[column.name])})"
        sql = f"cast({sql} as {{{{ money() }}}})" if column.kind == "money" else sql
    if column.name in table.known_from:
        known = _read(table.columns[table.known_from[column.name]])
        sql = f"case when {known} < {{{{ as_of_ends_at() }}}} then {sql} end"
    return sql


def _happened(table: StandardTable) -> tuple[str | None, str | None]:
    """SQL of when a row's event took place, where no column says it alone, and the column that says it."""
    if table.parent is not None and table.happens_with_parent:
        [column] = standard_tables()[table.parent["of"]].happened_at
        return f"coalesce(parents.{column}, parent_times.{column})", TOOK_PLACE
    if not table.happened_at:
        return None, None
    columns = [table.columns[name] for name in table.happened_at]
    if len(columns) == 1 and columns[0].kind == "moment":
        return None, columns[0].name
    day = "{{ local_to_utc('cast(' ~ calendar_day('raw.$') ~ ' as timestamp)') }}"
    moments = [day.replace("$", column.name) if column.kind == "day" else _read(column) for column in columns]
    return (moments[0] if len(moments) == 1 else f"greatest({', '.join(moments)})"), TOOK_PLACE


def _parent(table: StandardTable) -> dict[str, Any] | None:
    if table.parent is None:
        return None
    of, by = standard_tables()[table.parent["of"]], table.parent["by"]
    [happened] = of.happened_at
    return {
        "of": of.name,
        "by": by,
        "read": _read(table.columns[by]),
        "gives": table.parent.get("gives", ()),
        "needs_time": table.happens_with_parent,
        "happened_at": happened,
        "happened_sql": _read(of.columns[happened]),
        "key_sql": _read(of.columns[by]),
    }


def _refusals(table: StandardTable) -> list[tuple[str, str]]:
    """Each reason to refuse a row, with its condition."""
    found: list[tuple[str, str]] = []
    for name, column in table.columns.items():
        blank, expected = KINDS["text"][0].replace("$", name), KINDS[column.kind][1]
        if column.need == "filled":
            found.append((f"`{name}` is missing", f"{blank} is null"))
        if expected is not None:
            found.append((f"`{name}` is not {expected}", f"{blank} is not null and {_read(column)} is null"))
        if name in table.one_of:
            codes = table.one_of[name]
            listed = ", ".join(f"'{code}'" for code in codes)
            found.append((f"`{name}` is none of {', '.join(codes)}", f"{_read(column)} not in ({listed})"))
    found += [(reason, _filled_in(table, condition)) for reason, condition in table.refused.items()]
    if table.parent is not None:
        by = table.parent["by"]
        found.append((f"`{by}` names no accepted row of {table.parent['of']}", f"parents.{by} is null"))
    return found


def _expression(sql: str) -> str:
    """SQL with dbt's marks as an expression of Jinja that gives the same text."""
    pieces = re.split(r"\{\{ (.*?) \}\}", sql)
    told = [piece if place % 2 else repr(piece) for place, piece in enumerate(pieces) if piece]
    return " ~ ".join(told)
