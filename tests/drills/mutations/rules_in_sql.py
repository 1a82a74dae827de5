"""The rules of the suites as plain SQL: whether a table keeps them, without the library that judges nights.

A night evaluates its suites through Great Expectations, seconds at a time; a drill judges thousands of tables. That
both say the same is tested in `test_mutations.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from expectations.suite import Rule

SCRATCH = "scratch."  # queries name the second file of a build, which a drill does not have


def keeps(con: duckdb.DuckDBPyConnection, rule: Rule, relation: str) -> bool:
    """Whether a table keeps a rule.

    Raises:
        KeyError: the rule is of a kind that is not written here yet.
    """
    if rule.rows_that_break:
        query = rule.rows_that_break.replace("{batch}", relation).replace(SCRATCH, "")
        return _number(con, f"select count(*) from ({query})") == 0
    wanted = CONDITIONS[str(rule.expect)](relation, rule.arguments)
    return bool(_number(con, f"select {wanted} from {relation}"))


def _number(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    [(found,)] = con.execute(query).fetchall()
    return found


def _share(condition: str, arguments: dict[str, Any], among: str = "true") -> str:
    """That enough of the rows keep a condition; a table without such rows does."""
    return f"coalesce(avg(cast({condition} as integer)) filter ({among}), 1) >= {arguments.get('mostly', 1)!r}"


def _in_set(_: str, arguments: dict[str, Any], word: str = "in") -> str:
    column = arguments["column"]
    allowed = ", ".join("'" + str(code).replace("'", "''") + "'" for code in arguments["value_set"])
    return _share(f"cast({column} as varchar) {word} ({allowed})", arguments, f"{column} is not null")


def _between(_: str, arguments: dict[str, Any]) -> str:
    column, bounds = arguments["column"], []
    if arguments.get("min_value") is not None:
        bounds.append(f"{column} >= {arguments['min_value']}")
    if arguments.get("max_value") is not None:
        bounds.append(f"{column} <= {arguments['max_value']}")
    return _share(f"({' and '.join(bounds)})", arguments, f"{column} is not null")


CONDITIONS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "table_row_count_to_be_between": lambda _, arguments: f"count(*) >= {arguments['min_value']}",
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
