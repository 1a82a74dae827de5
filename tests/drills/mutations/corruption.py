"""The corruptions of a table: every mutation of `mutation.py` on every column that it can be made on, as queries.

What belongs here: from a table with a row number to the queries that give it corrupted. What does not: which tables,
and who notices (`mutated_night.py` for feeds, `judged_tables.py` for what is built of them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb
from mutation import MUTATIONS, ROW_MUTATIONS, SOME, Kind, Mutation, RowMutation, kind_of

ALL_COLUMNS = "all columns"
ROW_NUMBER = "_row_number"
GOLDEN_SHARE = 0.6180339887
"""Multiples of it lie apart from all before them."""


@dataclass(frozen=True)
class Case:
    """One corruption: of a column, or of all rows; the query reads the uncorrupted table."""

    table: str
    column: str
    name: str
    query: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} {self.name}"


def corruptions(con: duckdb.DuckDBPyConnection, table: str, base: str, columns: Mapping[str, str]) -> Iterator[Case]:
    """All corruptions of a table.

    Args:
        con: where the table is.
        table: its name in the cases.
        base: the relation that holds it uncorrupted, with its rows numbered in `_row_number`.
        columns: those that are corrupted, with their types; what the relation has beside them stays.
    """
    kinds = {column: _kind(con, base, column) for column in columns}
    for column in columns:
        for mutation in MUTATIONS:
            if kinds[column] & mutation.kinds:
                yield Case(table, column, mutation.name, _of_column(base, columns, column, mutation))
    day = next((column for column in columns if kinds[column] is Kind.TIME), None)
    for rows in ROW_MUTATIONS:
        if day or not rows.is_of_days:
            yield Case(table, ALL_COLUMNS, rows.name, _of_rows(base, columns, day, rows))


def sampled(cases: list[Case], every: int, is_whole: bool) -> dict[str, Case]:
    """Cases by name: one in so many, or all of them in such an order that any beginning is spread over all tables."""
    # neighbours are alike: corruptions of one column, one after the other
    firsts = sorted(range(every), key=lambda first: first * GOLDEN_SHARE % 1)
    samples = [cases[first::every] for first in firsts[: every if is_whole else 1]]
    return {str(case): case for sample in samples for case in sample}


def _kind(con: duckdb.DuckDBPyConnection, base: str, column: str) -> Kind:
    text = f"nullif(trim(cast({column} as varchar)), '')"
    [found] = con.execute(
        f"select count({text}), count(distinct {text}), count(try_cast({text} as double)), "
        f"count(try_cast({text} as timestamp)) from {base}"
    ).fetchall()
    return kind_of(*found, column=column)


def _of_column(base: str, columns: Mapping[str, str], column: str, mutation: Mutation) -> str:
    names = list(columns)
    corrupted = mutation.expression.format(
        c=f"cast({column} as varchar)",
        n=names[(names.index(column) + 1) % len(names)],
        b=f"lag(cast({column} as varchar)) over (order by {ROW_NUMBER})",
    )
    chosen = f"case when {mutation.where} then cast({corrupted} as varchar) else cast({column} as varchar) end"
    return f"select * replace (try_cast({chosen} as {columns[column]}) as {column}) from {base}"


def _of_rows(base: str, columns: Mapping[str, str], day: str | None, mutation: RowMutation) -> str:
    names = list(columns)
    shifted = {
        name: f"try_cast(cast({other} as varchar) as {columns[name]})"
        for name, other in zip(names, [names[-1], *names[:-1]], strict=True)
    }
    parts = {
        "shifted": ", ".join(f"{text} as {name}" for name, text in shifted.items()),
        "some_shifted": ", ".join(
            f"case when {SOME} then {text} else {name} end as {name}" for name, text in shifted.items()
        ),
        "days_back": (
            f"dense_rank() over (order by cast(try_cast(cast({day} as varchar) as timestamp) as date) desc nulls last)"
        ),
    }
    return f"with base as (from {base}) {mutation.query.format(**parts)}"
