"""The rules of the suites as plain SQL: whether a table keeps them, without the library that judges nights.

A night evaluates its suites through Great Expectations, seconds at a time; a drill judges thousands of tables. That
both say the same is tested in `test_rules_in_sql.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import duckdb

from expectations.suite import Rule

SCRATCH = "scratch."  # queries name the second file of a build, which a drill does not have


def keeps(con: duckdb.DuckDBPyConnection, rule: Rule, relation: str, as_of: dt.date) -> bool:
    """Whether a table keeps a rule on a night.

    Raises:
        KeyError: the rule is of a kind that is not written here yet.
    """
    [(found,)] = con.execute(query_of(rule, relation, as_of)).fetchall()
    return bool(found)


def query_of(rule: Rule, relation: str, as_of: dt.date) -> str:
    """The query of one truth value: whether a table keeps a rule on a night.

    Raises:
        KeyError: the rule is of a kind that is not written here yet.
    """
    query = rule.rows_that_break or own_query(rule, as_of)
    if query:
        query = query.replace("{batch}", relation).replace(SCRATCH, "")
        return f"select count(*) = 0 from ({query})"
    wanted = CONDITIONS[str(rule.expect)](relation, rule.of_night(as_of).arguments)
    return f"select {wanted} from {relation}"


def own_query(rule: Rule, as_of: dt.date) -> str:
    """The query that a rule of ours writes itself; empty for other rules."""
    from expectations import custom

    if rule.expect not in custom.WITH_A_QUERY:
        return ""
    kind = "Expect" + "".join(word.capitalize() for word in rule.expect.split("_"))
    night = {"as_of": f"{as_of}"} if rule.expect in custom.OVER_HISTORY else {}
    return str(getattr(custom, kind)(**rule.arguments, **night).unexpected_rows_query)


def _share(condition: str, arguments: dict[str, Any], among: str = "true") -> str:
    """That enough of the rows keep a condition; a table without such rows does."""
    return f"coalesce(avg(cast({condition} as integer)) filter ({among}), 1) >= {arguments.get('mostly', 1)!r}"


def _in_set(_: str, arguments: dict[str, Any], word: str = "in") -> str:
    column = arguments["column"]
    codes = [str(code).lower() if isinstance(code, bool) else str(code) for code in arguments["value_set"]]
    listed = ", ".join("'" + code.replace("'", "''") + "'" for code in codes)
    return _share(f"cast({column} as varchar) {word} ({listed})", arguments, f"{column} is not null")


def _between(_: str, arguments: dict[str, Any]) -> str:
    column, bounds = arguments["column"], []
    if arguments.get("min_value") is not None:
        bounds.append(f"{column} >= {arguments['min_value']}")
    if arguments.get("max_value") is not None:
        bounds.append(f"{column} <= {arguments['max_value']}")
    return _share(f"({' and '.join(bounds)})", arguments, f"{column} is not null")


CONDITIONS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "table_row_count_to_be_between": lambda _, arguments: f"count(*) >= {arguments['min_value']}",
    "no_rows_where": lambda _, arguments: (
        f"count(*) filter ({arguments['condition']}) <= {arguments.get('at_most', 0)} * count(*)"
    ),
    "column_values_to_not_be_null": lambda _, arguments: _share(f"{arguments['column']} is not null", arguments),
    "column_values_to_be_unique": lambda _, arguments: (
        f"count({arguments['column']}) = count(distinct {arguments['column']})"
    ),
    "compound_columns_to_be_unique": lambda _, arguments: (
        f"count(*) = count(distinct ({', '.join(arguments['column_list'])}))"
    ),
    "column_values_to_be_in_set": _in_set,
    "column_values_to_not_be_in_set": lambda _, arguments: _in_set(_, arguments, "not in"),
    "column_values_to_be_between": _between,
}
