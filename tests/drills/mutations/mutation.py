"""The mutations: about forty ways in which a source or a model corrupts a table, each a line of a list.

What belongs here: what a mutation makes of a column or of all rows, and which columns it can be made on. The queries
are made in `corruption.py`; what notices is asked in `mutated_night.py` and `judged_tables.py`. All are deterministic:
every tenth row by its number, or all of them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SOME = "_row_number % 10 = 3"
"""Every tenth row."""


class Kind(enum.Flag):
    """What a column holds, by its content."""

    KEY = enum.auto()
    CODE = enum.auto()
    NUMBER = enum.auto()
    TIME = enum.auto()
    TEXT = enum.auto()
    ANY = KEY | CODE | NUMBER | TIME | TEXT


@dataclass(frozen=True)
class Mutation:
    """One way of corrupting a column: an SQL expression, in which `{c}` is the column as text.

    `where` says on which rows, all unless given; `{n}` is the next column of the table, `{b}` the column a row before.
    """

    name: str
    expression: str
    kinds: Kind = Kind.ANY
    where: str = "true"


@dataclass(frozen=True)
class RowMutation:
    """One way of corrupting all columns of a table at once: a query over `base`.

    `{shifted}` is each column with the content of the one before, `{some_shifted}` the same in every tenth row;
    `{days_back}` is 1 on the last day of the table's first date or time, 2 on the day of it before: such a mutation
    `is_of_days`.
    """

    name: str
    query: str

    @property
    def is_of_days(self) -> bool:
        return "{days_back}" in self.query


NUMBER = "try_cast({c} as decimal(18, 4))"
TIME = "try_cast({c} as timestamp)"

MUTATIONS = [
    Mutation("is empty", "null"),
    Mutation("is empty in a tenth of the rows", "null", where=SOME),
    Mutation("is blank in a tenth of the rows", "'  '", where=SOME),
    Mutation("is the same in all rows", "min({c}) over ()"),
    Mutation("has its values in other rows", "coalesce(lag({c}, 7) over (order by _row_number), {c})"),
    Mutation("repeats the row before in a tenth of the rows", "coalesce({b}, {c})", where=SOME),
    Mutation("stands in the next column's place", "cast({n} as varchar)"),
    Mutation("is cut to half its length", "left({c}, cast(ceil(length({c}) / 2.0) as integer))"),
    Mutation("is cut in a tenth of the rows", "left({c}, length({c}) - 1)", where=SOME),
    Mutation("has damaged letters", "{c} || chr(195) || chr(175)", Kind.TEXT | Kind.CODE | Kind.KEY),
    Mutation("has zero bytes' replacement", "replace({c}, left({c}, 1), chr(65533))", where=SOME),
    Mutation("is in capitals or not as before", "case when {c} = upper({c}) then lower({c}) else upper({c}) end"),
    Mutation("is the word for nothing", "'NULL'", where=SOME),
    Mutation("names what does not exist", "'zz' || {c}", Kind.KEY | Kind.CODE, SOME),
    Mutation("is another known code in a tenth of the rows", "max({c}) over ()", Kind.CODE, SOME),
    Mutation("is a hundred times as much", f"{NUMBER} * 100", Kind.NUMBER),
    Mutation("is a hundred times as much in a tenth of the rows", f"{NUMBER} * 100", Kind.NUMBER, SOME),
    Mutation("is a thousandth", f"{NUMBER} / 1000", Kind.NUMBER),
    Mutation("is shifted by one", f"{NUMBER} + 1", Kind.NUMBER),
    Mutation("has the other sign", f"-{NUMBER}", Kind.NUMBER),
    Mutation("has the other sign in a tenth of the rows", f"-{NUMBER}", Kind.NUMBER, SOME),
    Mutation("is rounded", f"round({NUMBER}, 0)", Kind.NUMBER),
    Mutation("has a decimal comma", "replace({c}, '.', ',')", Kind.NUMBER),
    Mutation("is zero in a tenth of the rows", "'0'", Kind.NUMBER, SOME),
    Mutation("is a day later", f"{TIME} + interval 1 day", Kind.TIME),
    Mutation("is eight hours later", f"{TIME} + interval 8 hour", Kind.TIME),
    Mutation("is ten years later", f"{TIME} + interval 10 year", Kind.TIME, SOME),
    Mutation("is a year earlier", f"{TIME} - interval 1 year", Kind.TIME),
    Mutation("has lost its time", f"cast({TIME} as date)", Kind.TIME),
    Mutation("has days and months exchanged", f"strftime({TIME}, '%Y-%d-%m %H:%M:%S')", Kind.TIME),
    Mutation("is written the other way round", f"strftime({TIME}, '%d.%m.%Y %H:%M')", Kind.TIME),
    Mutation("is the beginning of time in a tenth of the rows", "'1970-01-01 00:00:00'", Kind.TIME, SOME),
]

ROW_MUTATIONS = [
    RowMutation("every row twice", "select * from base union all select * from base"),
    RowMutation("a tenth of the rows twice", f"select * from base union all select * from base where {SOME}"),
    RowMutation(
        "the last fifth is missing", "select * from base qualify _row_number <= 0.8 * max(_row_number) over ()"
    ),
    RowMutation("a tenth of the rows is missing", f"select * from base where not {SOME}"),
    RowMutation("one row in fifty is missing", "select * from base where _row_number % 50 <> 7"),
    RowMutation("there is a header alone", "select * from base where false"),
    RowMutation("the columns are shifted by one", "select * replace ({shifted}) from base"),
    RowMutation("the columns are shifted in a tenth of the rows", "select * replace ({some_shifted}) from base"),
    RowMutation("a business day is missing", "select * from base qualify {days_back} <> 2"),
    RowMutation(
        "a business day came twice", "select * from base union all (select * from base qualify {days_back} = 2)"
    ),
]


def kind_of(values: int, distinct: int, numbers: int, times: int, column: str) -> Kind:
    """What a column holds.

    Args:
        values: how many rows have something in it.
        distinct: how many different things.
        numbers: how many of the values are numbers.
        times: how many are dates or times.
        column: its name; keys end in `_id`.
    """
    if column.endswith("_id") or column == "line_number":
        return Kind.KEY
    if values and numbers >= 0.9 * values:
        return Kind.NUMBER
    if values and times >= 0.9 * values:
        return Kind.TIME
    return Kind.CODE if distinct <= 25 else Kind.TEXT
