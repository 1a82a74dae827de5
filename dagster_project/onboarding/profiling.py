"""What a file holds: its dialect, its columns, how they are written; counts and shares, no values but short codes.

Belongs here: looking at files. Does not belong here: what a column means (`guessing.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from dagster_project.onboarding.readings import READING_OF, READINGS
from dagster_project.onboarding.samples import Sample
from dagster_project.sources.engine import private_connection
from dagster_project.sources.tables import SourceError
from dagster_project.sql_text import quoted_identifier

MOST_ROWS = 300_000
"""Records that are looked at, from the first: enough to tell a key from a reference."""
SAMPLED_ROWS = 20_000
"""Of these, how many are held against the ways to write a value."""
MOST_CODES = 40
LONGEST_CODE = 40


@dataclass(frozen=True)
class Column:
    """A column of a file.

    Attributes:
        name: as the file writes it.
        rows: records that were looked at.
        filled: of these, those that are not blank.
        distinct: different texts among the filled.
        written_as: names of the readings that all but one in a hundred of the filled texts fit, in their order.
        low: the least number of a sample, where it is written as one.
        high: the greatest.
        codes: the texts that occur, most frequent first, where they are few and short; empty otherwise.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    written_as: tuple[str, ...]
    low: float | None
    high: float | None
    codes: tuple[str, ...]

    @property
    def is_unique(self) -> bool:
        """Whether it could name the rows: filled, and all but one in a hundred of its texts different."""
        return self.rows > 0 and self.filled >= 0.99 * self.rows and self.distinct >= 0.99 * self.filled


@dataclass(frozen=True)
class Profile:
    """A table of a shop.

    Attributes:
        sample: where its rows come from.
        columns: in the order of the table.
    """

    sample: Sample
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """The table's."""
        return self.sample.name

    @property
    def rows(self) -> int:
        """Records that were looked at, `MOST_ROWS` at most."""
        return self.columns[0].rows if self.columns else 0

    def column(self, name: str) -> Column:
        """The column of a name."""
        return next(column for column in self.columns if column.name == name)


def profile(sample: Sample) -> Profile:
    """What a table holds.

    Raises:
        SourceError: it cannot be read.
    """
    with _looked_at(sample) as con:
        return Profile(sample, _columns(con))


def day_range(profile: Profile, column: str, written_as: str) -> tuple[dt.date, dt.date]:
    """The first and the last day that a column of times names, in all rows, by the clock that it is written in.

    Args:
        profile: of the table.
        column: its name.
        written_as: how, by the name of the reading.
    """
    value = READING_OF[written_as].value.replace("$text", _text(column))
    days = f"select min(day), max(day) from (select ({value})::date as day from batch)"
    found: list[dt.date] = []
    with private_connection() as con:
        for batch in profile.sample.batches(column):
            con.register("batch", pa.Table.from_batches([batch.select([column])]))
            [span] = con.execute(days).fetchall()
            found += [day for day in span if day is not None]
    if not found:
        raise SourceError(f"{profile.name!r}: no text in {column!r} is a time; expected when orders were placed")
    return min(found), max(found)


def scores_by_question(profile: Profile, score: str, question: str | None) -> dict[str | None, dict[float, int]]:
    """How often each score was given, by question, the most asked first; by None where the table names no question.

    Args:
        profile: of the table.
        score: its column of scores.
        question: its column that names questions; None where it has none.
    """
    code = f"lower({_text(question)})" if question else "null"
    with _looked_at(profile.sample) as con:
        counted = con.execute(
            f"""
            select code, score, count(*) as answers, sum(answers) over (partition by code) as asked
            from (select {code} as code, try_cast({_text(score)} as double) as score from seen)
            where score is not null group by code, score order by asked desc, code, score
            """
        ).fetchall()
    found: dict[str | None, dict[float, int]] = {}
    for told, given, count, _ in counted:
        if told in found or len(found) < MOST_CODES:
            found.setdefault(told, {})[given] = count
    return found


@contextmanager
def _looked_at(sample: Sample) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that has the first records as the table `seen`."""
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in sample.batches(most_rows=MOST_ROWS):
        batches.append(batch.slice(0, MOST_ROWS - rows))
        rows += batches[-1].num_rows
        if rows == MOST_ROWS:
            break
    if not rows:
        raise SourceError(f"{sample.name!r} has no rows; expected some to tell its columns by")
    with private_connection() as con:
        con.register("sent", pa.Table.from_batches(batches))
        con.execute("create temp table seen as select * from sent")
        yield con


def _columns(con: duckdb.DuckDBPyConnection) -> tuple[Column, ...]:
    names = [str(name) for name, *_ in con.execute("describe seen").fetchall()]
    [(rows,)] = con.execute("select count(*) from seen").fetchall()
    con.execute(
        f"create or replace temp table sample as select * from seen where rowid % {max(rows // SAMPLED_ROWS, 1)} = 0"
    )
    return tuple(_column(con, name, rows) for name in names)


def _text(column: str) -> str:
    return f"nullif(trim({quoted_identifier(column)}::varchar), '')"


def _column(con: duckdb.DuckDBPyConnection, name: str, rows: int) -> Column:
    text = _text(name)
    [(filled, distinct, longest)] = con.execute(
        "select count(text), count(distinct text), coalesce(max(length(text)), 0) "
        f"from (select {text} as text from seen)"
    ).fetchall()
    fits = ", ".join(f"count(*) filter (where {way.condition('text')})" for way in READINGS)
    [(sampled, low, high, *fitting)] = con.execute(
        f"""
        select count(text), min(try_cast(text as double)), max(try_cast(text as double)), {fits}
        from (select {text} as text from sample)
        """
    ).fetchall()
    codes = []
    if 0 < distinct <= MOST_CODES and longest <= LONGEST_CODE:
        counted = (
            f"select code from (select {text} as code from seen) where code is not null "
            "group by code order by count(*) desc, code"
        )
        codes = [str(code) for (code,) in con.execute(counted).fetchall()]
    written_as = tuple(
        way.name for way, count in zip(READINGS, fitting, strict=True) if sampled and count >= 0.99 * sampled
    )
    return Column(name, rows, filled, distinct, written_as, low, high, tuple(codes))
