"""From a rule to a query of the rows that break it, so that some of them can be told.

What belongs here: what each kind of rule says of a row, in SQL. What does not: judging (Great Expectations does, in
`runner.py`), kinds that write their own query (`custom.py`), what of a row may be told (`samples.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dagster_project.sql_text import literal, quoted_identifier
from expectations.suite import Rule

Arguments = Mapping[str, Any]
OF_NO_ROW = frozenset({"table_row_count_to_be_between"})
"""Kinds of rules that no row breaks: what is wrong is that rows are not there, or too many are."""
UNDERSTOOD = frozenset(
    {"column", "column_list", "value_set", "min_value", "max_value", "mostly", "condition", "at_most"}
)


def broken_rows_sql(relation: str, rule: Rule) -> str | None:
    """SELECT of the rows of a table that break a rule, nulls judged as Great Expectations judges them.

    Args:
        relation: the table, as SQL names it.
        rule: of its night.

    Returns:
        The query; nothing where no row breaks such a rule, or where its kind or an argument of it is not known here.
    """
    if rule.rows_that_break:
        return rule.rows_that_break.replace("{batch}", relation)
    if rule.expect in REPEATED and UNDERSTOOD.issuperset(rule.arguments):
        return _repeated_sql(relation, REPEATED[rule.expect](rule.arguments))
    if rule.expect in CONDITIONS and UNDERSTOOD.issuperset(rule.arguments):
        return f"select * from {relation} where {CONDITIONS[rule.expect](rule.arguments)}"
    return None


def _repeated_sql(relation: str, columns: list[str]) -> str:
    """Rows whose values in some columns another row has, too; a row without one of them repeats none."""
    named = ", ".join(quoted_identifier(column) for column in columns)
    are_there = " and ".join(f"{quoted_identifier(column)} is not null" for column in columns)
    return (
        f"select * from {relation} where ({named}) in "
        f"(select ({named}) from {relation} where {are_there} group by {named} having count(*) > 1)"
    )


def _listed(arguments: Arguments, word: str) -> str:
    column = quoted_identifier(arguments["column"])
    return f"{column} is not null and {column} {word} ({', '.join(_value(one) for one in arguments['value_set'])})"


def _outside(arguments: Arguments) -> str:
    """Nulls lie nowhere: the comparison with them is null, and finds no row."""
    column = quoted_identifier(arguments["column"])
    limits = [("<", arguments.get("min_value")), (">", arguments.get("max_value"))]
    return " or ".join(f"{column} {sign} {_value(limit)}" for sign, limit in limits if limit is not None) or "false"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool | int | float) else literal(str(value))


CONDITIONS: dict[str, Callable[[Arguments], str]] = {
    "no_rows_where": lambda arguments: str(arguments["condition"]),
    "column_values_to_not_be_null": lambda arguments: f"{quoted_identifier(arguments['column'])} is null",
    "column_values_to_be_in_set": lambda arguments: _listed(arguments, "not in"),
    "column_values_to_not_be_in_set": lambda arguments: _listed(arguments, "in"),
    "column_values_to_be_between": _outside,
}
REPEATED: dict[str, Callable[[Arguments], list[str]]] = {
    "column_values_to_be_unique": lambda arguments: [arguments["column"]],
    "compound_columns_to_be_unique": lambda arguments: list(arguments["column_list"]),
}
