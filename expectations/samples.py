"""A few keys of the rows that break a rule, so that whoever is told of it finds them; never anything else of a row.

What belongs here: which columns may be told, and the query for them. Keys of ours are keyed hashes; a raw or staged row
is told by its file and its place in it. Ids that a source gives are left out: in some shops they are e-mail addresses.
"""

from __future__ import annotations

import re

import duckdb

from dagster_project.warehouse import identifier
from expectations.suite import Rule, Suite

MAY_BE_TOLD = re.compile(r"^(\w+_key|_file|_row_number|file|row_number|model)$")
COUNT = 5


def sample_keys(connection: duckdb.DuckDBPyConnection, suite: Suite, rule: Rule) -> str | None:
    """Keys of the first rows that break a rule, in the order of the keys.

    Args:
        connection: an open connection to the build.
        suite: whose table it is.
        rule: one that failed, of its night.

    Returns:
        `order_key=..; order_key=..`, at most five; nothing where the rule finds no rows or its rows have no key.
    """
    rows = _rows_of(suite, rule)
    if rows is None:
        return None
    names = [column[0] for column in connection.execute(f"select * from ({rows}) as broken limit 0").description or ()]
    told = _told(names)
    if not told:
        return None
    columns = ", ".join(identifier(name) for name in told)
    found = connection.execute(
        f"select distinct {columns} from ({rows}) as broken order by all limit {COUNT}"
    ).fetchall()
    return "; ".join(
        ", ".join(f"{name}={key}" for name, key in zip(told, keys, strict=True)) for keys in found
    ) or None  # fmt: skip


def _rows_of(suite: Suite, rule: Rule) -> str | None:
    if rule.rows_that_break:
        return rule.rows_that_break.replace("{batch}", suite.relation)
    if rule.expect == "no_rows_where":
        return f"select * from {suite.relation} where {rule.arguments['condition']}"
    return None


def _told(names: list[str]) -> list[str]:
    """The places of raw rows, or the first key: a table's own key stands before those that it refers to."""
    allowed = [name for name in names if MAY_BE_TOLD.match(name)]
    places = [name for name in allowed if not name.endswith("_key")]
    return places or allowed[:1]
