"""Cells that hold anything: no staging model fails on them, and every row is accepted, refused or not yet seen.

Each row that is touched has one cell replaced: by marks that readers stumble over, by a damaged copy of itself, or by
random letters of all scripts. The long form also builds the marts from the touched feeds, and reconciles them.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from built_night import BuiltNight
from corner_shop import CornerShop
from drill_report import write_section
from long_form import IS_LONG

TURNS, CELLS_A_FEED = (2, 500) if IS_LONG else (1, 9)
NASTY = (
    "", " ", "\t", "null", "NaN", "-inf", "1e999", "1e400", "-0", "+5", "0x1F", "1,234.56", "1.234,56", "\u0661\u0662",
    "\uff11\uff12", "\u066b5", "\u00bd", "9" * 41, "-9223372036854775808", "9223372036854775808", "0.00000000000000001",
    "0000-00-00", "2025-02-30", "2025-13-01", "9999-12-31 23:59:59.999999", "294247-01-10", "-4713-01-01", "1970-01-01",
    "2025-03-30 02:30:00", "2025-10-26 02:30:00", "2025-06-01T12:00:00+14:00", "2025-06-01 24:00:00", "2025-06-31",
    "infinity", "-infinity", "epoch", "today", "true", "yes", "TRUE ", "t", "2", "'", "''; drop table x; --", '"', "\\",
    "%", "_", "{{ 1 }}", "a\x00b", "\ufeff", "\u200b", "\u202e", "e\u0301", "\u0130", "\u00df", "\ufb00",
    "\U0001f600" * 40, "\u8a55", "x" * 100_000, "\n", "\r\n", "?", "?deleted", "[]", "{}", "EUR ", "eur", "XXX",
    "cancelled\u00a0", "EARN", "-1", "11", "0.5", "1;2", "1970-01-01 00:00:00+00",
)  # fmt: skip
"""Marks, numbers, times and codes at the edge of what a cell can be."""
LARGEST = ("99999999999.9999", "9999999999.99999999", "999999999999999999", "-99999999999", "100000000000")
"""The largest amount, rate and whole number that can be read, what is as far below zero, and an amount too large."""
CELLS_A_COLUMN = 20
SUMMED = ("reconciliation", "loyalty_metrics", "cohort_retention", "order_waterfalls", "rfm_segments")
"""What sums the numbers of all feeds."""
TOLD = "The last of two turns, of some 5,000 cells each. All rows are accounted for, and all totals agree."
Edit = tuple[int, str, str, str]
"""Number and file of a row, the column, and what stands there."""
EDITS = "edits(_row_number bigint, _file varchar, column_name varchar, cell varchar)"


@pytest.fixture(scope="module")
def night(published_shop: CornerShop) -> BuiltNight:
    built = BuiltNight(published_shop)
    built.order([*SUMMED] if IS_LONG else built.staged())
    return built


def hostile(cell: str | None, chance: random.Random) -> str:
    """What stands in a cell's place."""
    kind = chance.randrange(3)
    if kind == 0 or (kind == 1 and not cell):
        return chance.choice(NASTY)
    if kind == 1:
        place = chance.randrange(len(cell or "") + 1)
        return f"{(cell or '')[:place]}{chance.choice(NASTY)[:50]}{(cell or '')[place + chance.randrange(3) :]}"
    letters = (chr(chance.choice((chance.randrange(1, 0x250), chance.randrange(0x250, 0xD800)))) for _ in range(12))
    return "".join(letters)


def touched(night: BuiltNight, feed: str, cells: int, chance: random.Random) -> str:
    """A query of a feed some of whose rows have one hostile cell, all columns as text."""
    columns = list(night.columns(feed))
    as_text = ", ".join(f'cast("{column}" as varchar) as "{column}"' for column in columns)
    rows = night.con.execute(
        f"select _row_number, _file, {as_text} from base.{feed} order by hash(_row_number, _file), 1, 2 limit {cells}"
    ).fetchall()
    edits: list[Edit] = []
    for number, file, *row in rows:
        place = chance.randrange(len(columns))
        edits.append((number, file, columns[place], hostile(row[place], chance)))
    return edited(night, feed, edits)


def with_largest(night: BuiltNight, feed: str, cell: str) -> str:
    """A query of a feed that has the same cell in some rows of each column, one cell a row."""
    columns = list(night.columns(feed))
    rows = night.con.execute(
        f"select _row_number, _file from base.{feed} order by hash(_row_number, _file), 1, 2 "
        f"limit {CELLS_A_COLUMN * len(columns)}"
    ).fetchall()
    return edited(night, feed, [(*row, columns[place % len(columns)], cell) for place, row in enumerate(rows)])


def edited(night: BuiltNight, feed: str, edits: list[Edit]) -> str:
    """A query of a feed with some cells replaced, all columns as text."""
    columns = list(night.columns(feed))
    night.con.execute(f"create or replace temp table {EDITS}")
    night.con.executemany("insert into edits values (?, ?, ?, ?)", edits)
    replaced = ", ".join(
        f'case when column_name = \'{column}\' then cell else cast("{column}" as varchar) end as "{column}"'
        for column in columns
    )
    return f"select base.* replace ({replaced}) from base.{feed} as base left join edits using (_row_number, _file)"


def fates(night: BuiltNight, models: list[str]) -> Counter[str]:
    """How many rows of staged models were accepted, refused, or are of later than the night."""
    found: Counter[str] = Counter()
    for model in models:
        told = night.con.execute(
            "select case when not is_seen then 'of later' when reasons = '' then 'accepted' else 'refused' end, "
            f"count(*) from {night.relation(model)}__judged group by all"
        ).fetchall()
        found.update(dict(told))
    return found


@pytest.mark.parametrize("turn", range(TURNS))
def test_hostile_cells_end_no_model_and_no_row_is_lost(turn: int, night: BuiltNight) -> None:
    chance, told, cells = random.Random(f"hostile cells {turn}"), [], 0  # noqa: S311 - not a secret
    for feed in night.feeds():
        [(rows,)] = night.con.execute(f"select count(*) from base.{feed}").fetchall()
        judges, count = night.judges_of(feed), min(CELLS_A_FEED, rows)
        before = fates(night, judges)
        with night.corrupted(feed, touched(night, feed, count, chance)) as models:
            night.build_all(models)
            after = fates(night, judges)
            assert after.total() == rows * len(judges), feed
            assert not unreconciled(night), feed
        cells += count
        told.append((feed, rows, count, after["refused"] - before["refused"]))
    assert cells >= (5_000 if IS_LONG else 150)
    assert sum(row[3] for row in told) > 0.1 * cells
    write_section("cells", ("feed", "rows", "cells replaced", "more rows refused"), told, TOLD)


@pytest.mark.parametrize("cell", LARGEST if IS_LONG else LARGEST[:1])
def test_the_largest_numbers_end_no_model_and_no_row_is_lost(cell: str, night: BuiltNight) -> None:
    for feed in night.feeds():
        [(rows,)] = night.con.execute(f"select count(*) from base.{feed}").fetchall()
        judges = night.judges_of(feed)
        with night.corrupted(feed, with_largest(night, feed, cell)) as models:
            night.build_all(models)
            assert fates(night, judges).total() == rows * len(judges), feed
            assert not unreconciled(night), feed


def unreconciled(night: BuiltNight) -> list[tuple[object, ...]]:
    """Totals that differ between two layers, where the marts are built too."""
    if not IS_LONG:
        return []
    return night.con.execute("select * from quality.reconciliation where not is_reconciled").fetchall()
