"""The staging models of standard tables, as texts, from their declaration; they are written when dbt parses.

Belongs here: from a table's declaration to the words that the template needs. Does not belong here: the declaration
(`tables.yml`), where the texts are put (`shop_project.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

from dagster_project.bracket_templates import bracket_environment
from dagster_project.column_words import description_of
from dagster_project.standard.tables import StandardTable, standard_tables

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
    "units": ("{{ whole_amount('raw.$') }}", "a whole number below 100,000,000,000"),
    "money": ("{{ number('raw.$') }}", "a number below 100,000,000,000"),
    "rate": ("try_cast({{ text('raw.$') }} as {{ rate() }})", "a number"),
    "share": ("try_cast({{ text('raw.$') }} as double)", "a number"),
    "flag": ("{{ flag('raw.$') }}", "true or false"),
}
"""By kind: how a raw column `$` is read, and what a refusal says that was expected; None where any text is right."""
TOOK_PLACE = "took_place_at"
_IN_BRACES = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
PROVENANCE = ("source_name", "_file", "_loaded_at", "_load_id", "_row_number")


@dataclass(frozen=True)
class Sent:
    """How a source sends a column of ours.

    Attributes:
        name: what refusals call it.
        read: SQL with dbt's marks of what it holds.
        blank: the same of its text; None where no column is sent and the row never lacks it.
        expected: what a refusal says that was expected; None where any text is right.
    """

    name: str
    read: str
    blank: str | None = None
    expected: str | None = None


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
        texts[f"{model}.sql"] = model_sql(source, table, sent_as_declared(table))
    return texts


def model_columns(table: StandardTable, sent: Collection[str] | None = None) -> list[str]:
    """The columns of a table's staging model, in order, where a source sends some of them or all."""
    columns = list(sent_as_declared(table) if sent is None else sent)
    return [*columns, *(table.parent or {}).get("gives", ()), *PROVENANCE]


def sent_as_declared(table: StandardTable) -> dict[str, Sent]:
    """The columns of a table that comes under our names."""
    columns = {}
    for name, column in table.columns.items():
        read, expected = KINDS[column.kind]
        columns[name] = Sent(name, read.replace("$", name), KINDS["text"][0].replace("$", name), expected)
    if "email" in table.identifiers:
        columns["mailbox"] = Sent("mailbox", KINDS["hash"][0].replace("$", "email__mailbox"))
    return columns


def model_sql(source: str, table: StandardTable, sent: Mapping[str, Sent]) -> str:
    """A table's staging model.

    Args:
        source: name of the source.
        table: what its rows are.
        sent: how they come; a column that is left out is not in the model, nor is what rests on it.
    """
    return _template().render(_told(source, table, sent))


def filled_in(sql: str, sent: Mapping[str, Sent]) -> str | None:
    """SQL with the columns, as they are read, in the place of their names in braces; None where one is not sent."""
    names = re.findall(_IN_BRACES, sql)
    if not all(name in sent for name in names):
        return None
    return re.sub(_IN_BRACES, lambda found: sent[found.group(1)].read, sql)


@cache
def _template() -> jinja2.Template:
    return bracket_environment(TEMPLATES).get_template("entity.sql.j2")


def _told(source: str, table: StandardTable, sent: Mapping[str, Sent]) -> dict[str, Any]:
    took_place, happened_at = _happened(table, sent)
    return {
        "source": source,
        "table": table,
        "columns": [(name, _column_sql(table, name, sent)) for name in sent],
        "took_place": took_place,
        "happened_at": happened_at,
        "latest_by": table.latest_by if table.latest_by in sent else None,
        "amount": _expression(_column_sql(table, table.amount, sent)) if table.amount else None,
        "refusals": _refusals(table, sent),
        "parent": _parent(table, sent),
    }


def _column_sql(table: StandardTable, name: str, sent: Mapping[str, Sent]) -> str:
    sql, column = sent[name].read, table.columns.get(name)
    if column is None or sent[name].blank is None:
        return sql
    if column.kind == "flag":
        sql = f"coalesce({sql}, false)"
    if name in table.defaults and (default := filled_in(table.defaults[name], sent)) is not None:
        sql = f"coalesce({sql}, {default})"
        sql = f"{{{{ as_amount({_expression(sql)}) }}}}" if column.kind == "money" else sql
    if table.known_from.get(name) in sent:
        sql = f"case when {sent[table.known_from[name]].read} < {{{{ as_of_ends_at() }}}} then {sql} end"
    return sql


def _happened(table: StandardTable, sent: Mapping[str, Sent]) -> tuple[str | None, str | None]:
    """SQL of when a row's event took place, where no column says it alone, and the column that says it."""
    if table.parent is not None and table.happens_with_parent:
        [column] = standard_tables()[table.parent["of"]].happened_at
        return f"coalesce(parents.{column}, parent_times.{column})", TOOK_PLACE
    names = [name for name in table.happened_at if name in sent]
    if not names:
        return None, None
    if len(names) == 1 and table.columns[names[0]].kind == "moment":
        return None, names[0]
    moments = [_begin_of(sent[name].read) if table.columns[name].kind == "day" else sent[name].read for name in names]
    return (moments[0] if len(moments) == 1 else f"greatest({', '.join(moments)})"), TOOK_PLACE


def _begin_of(day: str) -> str:
    return "{{ local_to_utc('cast(' ~ " + _expression(day) + " ~ ' as timestamp)') }}"


def _parent(table: StandardTable, sent: Mapping[str, Sent]) -> dict[str, Any] | None:
    if table.parent is None:
        return None
    of, by = standard_tables()[table.parent["of"]], table.parent["by"]
    [happened], as_declared = of.happened_at, sent_as_declared(of)
    return {
        "of": of.name,
        "by": by,
        "read": sent[by].read,
        "gives": table.parent.get("gives", ()),
        "needs_time": table.happens_with_parent,
        "happened_at": happened,
        "happened_sql": as_declared[happened].read,
        "key_sql": as_declared[by].read,
    }


def _refusals(table: StandardTable, sent: Mapping[str, Sent]) -> list[tuple[str, str]]:
    """Each reason to refuse a row, with its condition."""
    found: list[tuple[str, str]] = []
    for name, column in table.columns.items():
        if name not in sent or (blank := sent[name].blank) is None:
            continue
        called, read = sent[name].name, sent[name].read
        if column.need == "filled":
            found.append((f"`{called}` is missing", f"{blank} is null"))
        if sent[name].expected is not None:
            found.append((f"`{called}` is not {sent[name].expected}", f"{blank} is not null and {read} is null"))
        if name in table.one_of:
            codes = table.one_of[name]
            listed = ", ".join(f"'{code}'" for code in codes)
            found.append((f"`{called}` is none of {', '.join(codes)}", f"{read} not in ({listed})"))
    told = ((reason, filled_in(condition, sent)) for reason, condition in table.refused.items())
    found += [(reason, condition) for reason, condition in told if condition is not None]
    if table.parent is not None:
        by = table.parent["by"]
        found.append((f"`{sent[by].name}` names no accepted row of {table.parent['of']}", f"parents.{by} is null"))
    return found


def _expression(sql: str) -> str:
    """SQL with dbt's marks as an expression of Jinja that gives the same text."""
    pieces = re.split(r"\{\{ (.*?) \}\}", sql)
    told = [piece if place % 2 else repr(piece) for place, piece in enumerate(pieces) if piece]
    return " ~ ".join(told)
