"""Our own expectations: each passes on a table as it should be, and fails on one that is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from dagster_project.feed_rules import column_rules
from dagster_project.source_settings import FileFeed
from expectations.suite import CheckCrashed, CheckResult, Rule, Suite

AS_OF = dt.date(2025, 12, 31)


@pytest.fixture
def build(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A year and a half of orders: 40 a day, 60 on Saturdays, amounts spread evenly over 0 to 100."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute("create schema marts")
        con.execute(
            f"""
            create table marts.orders as
            select day_date as order_date, (n * 37 + day_number * 11) % 100 as amount,
                ['web', 'app', 'store'][1 + n % 3] as channel
            from (
                select date '{AS_OF}' - cast(back as integer) as day_date, back as day_number
                from range(540) as t (back)
            )
            cross join range(60) as numbers (n)
            where n < 40 or dayofweek(day_date) = 6
            """
        )
        yield con


def judged(build: duckdb.DuckDBPyConnection, project: Path, expect: str, **arguments: Any) -> CheckResult:
    from expectations.runner import run_suites

    rule = Rule("it_is_as_it_should_be", "Why.", "critical", "till", expect, None, arguments)
    [result] = run_suites(build, [Suite("marts", "orders", (rule,))], project / "gx", as_of=AS_OF)
    return result


def test_conditions_that_no_row_meets_pass_and_others_are_counted(
    build: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    good = judged(build, tmp_path, "no_rows_where", condition="amount < 0 or channel = 'a: colon'")
    bad = judged(build, tmp_path, "no_rows_where", condition="amount >= 99")
    [(count, rows)] = build.execute(
        "select count(*) filter (where amount >= 99), count(*) from marts.orders"
    ).fetchall()
    assert (good.is_passed, good.failing_rows) == (True, 0)
    assert (bad.is_passed, bad.failing_rows, bad.observed) == (False, count, f"{count} of {rows} rows")


def test_the_page_of_a_failed_condition_says_its_share(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    from expectations.runner import build_docs

    assert not judged(build, tmp_path, "no_rows_where", condition="amount >= 99").is_passed
    build_docs(tmp_path / "gx", tmp_path / "site", "A night")
    pages = [path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")]
    assert any("unexpected values found" in page for page in pages)


def test_a_share_of_the_rows_may_meet_a_condition(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    [(share,)] = build.execute("select avg((amount >= 99)::integer) from marts.orders").fetchall()
    enough = judged(build, tmp_path, "no_rows_where", condition="amount >= 99", at_most=share + 0.001)
    short = judged(build, tmp_path, "no_rows_where", condition="amount >= 99", at_most=share - 0.001)
    assert (enough.is_passed, short.is_passed) == (True, False)
    assert enough.failing_rows == short.failing_rows > 0


def test_damaged_letters_are_found_by_the_rule_of_every_feed(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    feed = FileFeed(files="orders.csv", columns=("order_date", "amount", "channel"))
    [condition] = [rule.arguments["condition"] for rule in column_rules(feed) if rule.name == "letters_came_whole"]
    build.execute(
        f"insert into marts.orders values (date '{AS_OF}', 5, 'caf\u00c3\u00a9'), (date '{AS_OF}', 5, 'caf\u00e9')"
    )
    found = judged(build, tmp_path, "no_rows_where", condition=condition)
    assert (found.is_passed, found.failing_rows) == (False, 1)


def test_a_condition_sees_the_business_day_of_the_night(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    good = judged(build, tmp_path, "no_rows_where", condition="order_date > {as_of}")
    build.execute(f"insert into marts.orders values (date '{AS_OF}' + 1, 5, 'web')")
    bad = judged(build, tmp_path, "no_rows_where", condition="order_date > {as_of}")
    assert (good.is_passed, bad.is_passed, bad.failing_rows) == (True, False, 1)


def test_a_condition_on_the_night_needs_one(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    from expectations.runner import run_suites

    rule = Rule("it_is_past", "Why.", "critical", "till", "no_rows_where", None, {"condition": "order_date > {as_of}"})
    with pytest.raises(CheckCrashed, match=r"it_is_past: its condition names \{as_of\} and no night was given"):
        run_suites(build, [Suite("marts", "orders", (rule,))], tmp_path / "gx")


def test_a_condition_that_is_null_is_not_met(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    build.execute("update marts.orders set amount = null")
    assert judged(build, tmp_path, "no_rows_where", condition="amount < 0").is_passed
    build.execute("delete from marts.orders")
    assert judged(build, tmp_path, "no_rows_where", condition="true").is_passed


def test_all_conditions_of_a_table_are_counted_in_one_query(
    build: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations.runner import OpenConnectionEngine, run_suites

    queries: list[str] = []
    usual = OpenConnectionEngine.execute_query

    def counted(self: Any, query: Any) -> Any:
        queries.append(str(query))
        return usual(self, query)

    monkeypatch.setattr(OpenConnectionEngine, "execute_query", counted)
    rules = [Rule(f"rule_{n}", "Why.", "critical", "till", "no_rows_where", None, {"condition": f"amount = -{n}"})
             for n in range(1, 13)]  # fmt: skip
    results = run_suites(build, [Suite("marts", "orders", tuple(rules))], tmp_path / "gx", as_of=AS_OF)
    assert [result.is_passed for result in results] == [True] * 12
    assert len([query for query in queries if "sum" in query.lower()]) == 1


def test_a_condition_that_cannot_be_evaluated_is_a_crash(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(CheckCrashed, match="could not be evaluated"):
        judged(build, tmp_path, "no_rows_where", condition="no_such_column > 1")


VOLUMES = {
    "a usual table": ("select 1", True),
    "a day that is missing": ("delete from marts.orders where order_date = date '2025-12-29'", False),
    "a day that came twice": (
        "insert into marts.orders select * from marts.orders where order_date = date '2025-12-29'", False,
    ),
    "the last day is missing": ("delete from marts.orders where order_date = date '2025-12-31'", False),
    "a day long ago": ("delete from marts.orders where order_date = date '2025-10-01'", True),
    "a few rows less": (
        "delete from marts.orders where order_date = date '2025-12-29' and amount < 20", True,
    ),
    "a young table": ("delete from marts.orders where order_date < date '2025-12-01'", True),
    "no rows at all": ("delete from marts.orders", True),
}  # fmt: skip


@pytest.mark.parametrize("case", VOLUMES)
def test_rows_of_a_day_are_compared_with_the_weeks_before(
    build: duckdb.DuckDBPyConnection, tmp_path: Path, case: str
) -> None:
    change, is_passed = VOLUMES[case]
    build.execute(change)
    found = judged(build, tmp_path, "daily_rows_to_be_usual", column="order_date")
    assert (found.is_passed, found.failing_rows) == (is_passed, 0 if is_passed else 1)


COUNTS = {
    "six that are gone, which chance may do": (6, 0, True),
    "seven that are gone": (7, 0, False),
    "23 that came twice, which chance may do": (23, 46, True),
    "24 that came twice": (24, 48, False),
    "forty that are gone": (40, 0, False),
}
"""Rows of a usual day, of one day, and whether that is usual. By hand: 2 (sqrt(n + 3/8) - sqrt(u + 3/8)) exceeds 4
from 7 to 0 on (4.21; of six 3.83), and from 24 to 48 on (4.04; of 23 to 46 it is 3.95)."""


def days_back(con: duckdb.DuckDBPyConnection, counts: Iterable[int], **arguments: Any) -> list[int]:
    """The days that are unusual, counted back from the as-of, where so many rows came 0, 1, 2, ... days before it."""
    from expectations.custom import ExpectDailyRowsToBeUsual

    con.execute(
        "create or replace temp table told as select cast(? as date) - cast(place - 1 as integer) as day_date "
        "from (select unnest(?) as count_rows, generate_subscripts(?, 1) as place), range(5000) as t (n) "
        "where n < count_rows",
        [AS_OF, counts, counts],
    )
    rule = ExpectDailyRowsToBeUsual(column="day_date", as_of=f"{AS_OF}", **arguments)
    found = con.execute(str(rule.unexpected_rows_query).replace("{batch}", "told")).fetchall()
    return sorted((AS_OF - day).days for (day,) in found)


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        yield con


@pytest.mark.parametrize("case", COUNTS)
def test_a_day_is_unusual_beyond_four_surprises(memory: duckdb.DuckDBPyConnection, case: str) -> None:
    usual, count, is_usual = COUNTS[case]
    assert days_back(memory, [usual] * 3 + [count] + [usual] * 200) == ([] if is_usual else [3])


def test_a_day_is_compared_with_its_own_weekday(memory: duckdb.DuckDBPyConnection) -> None:
    """A shop that is closed on Saturdays, and was on one Wednesday: the thirtieth of December 2025 is a Tuesday."""
    weeks = [0 if (AS_OF - dt.timedelta(back)).weekday() == 5 else 40 for back in range(200)]
    assert days_back(memory, weeks) == []
    assert days_back(memory, [0 if back == 7 else count for back, count in enumerate(weeks)]) == [7]


def test_what_happened_in_the_same_week_of_the_year_before_is_a_season(memory: duckdb.DuckDBPyConnection) -> None:
    closed = [0 if back in (5, 6) else 40 for back in range(600)]
    assert days_back(memory, closed) == [5, 6]
    assert days_back(memory, [0 if back == 369 else count for back, count in enumerate(closed)]) == []
    busy = [400 if back == 369 else count for back, count in enumerate(closed)]
    assert days_back(memory, busy) == [5, 6], "a day that was fuller is no excuse for one that is empty"


def test_a_feed_that_may_lag_is_not_missed_before_it_is_due(memory: duckdb.DuckDBPyConnection) -> None:
    weekly = [0] * 5 + [40] * 200
    assert days_back(memory, weekly) == [0, 1, 2, 3, 4]
    assert days_back(memory, weekly, may_lag_days=3) == [3, 4]
    assert days_back(memory, weekly, may_lag_days=7) == []
    assert days_back(memory, [40, 40, 0, *weekly], may_lag_days=7) == [2, 3, 4, 5, 6, 7], "a hole is no lag"


def test_a_feed_that_comes_now_and_then_has_no_usual_day(memory: duckdb.DuckDBPyConnection) -> None:
    assert days_back(memory, [5000 if back % 30 == 0 else 0 for back in range(600)]) == []


def test_chance_rings_once_in_a_thousand_days_at_most(memory: duckdb.DuckDBPyConnection) -> None:
    """Counts of Poisson, and of four times its variance, over 1,000 days each."""
    chance = np.random.default_rng(1)
    drawn = [chance.poisson(mean, 1112) for mean in (8, 40)]
    drawn += [chance.negative_binomial(mean / 3, 0.25, 1112) for mean in (40, 400)]
    assert sum(len(days_back(memory, counts.tolist(), days=1000)) for counts in drawn) <= 4


SILENCES = {
    "a daily feed": ("select 1", True),
    "a feed silent for four days": ("delete from marts.orders where order_date > date '2025-12-27'", False),
    "a weekly feed on its usual day": (
        "delete from marts.orders where dayofweek(order_date) <> 6", True,
    ),
    "a weekly feed that missed two": (
        "delete from marts.orders where dayofweek(order_date) <> 6 or order_date > date '2025-12-13'", False,
    ),
    "a table that never had rows": ("delete from marts.orders", True),
    "a monthly feed within the month": ("delete from marts.orders where day(order_date) <> 8", True),
    "a monthly feed that missed two": (
        "delete from marts.orders where day(order_date) <> 8 or order_date > date '2025-10-08'", False,
    ),
    "a feed of three days in all, which has no rhythm": (
        "delete from marts.orders where order_date not in "
        "(date '2024-12-01', date '2025-01-01', date '2025-02-01')", True,
    ),
    "a silence no longer than an earlier outage": (
        "delete from marts.orders where order_date > date '2025-12-21' "
        "or order_date between date '2025-06-01' and date '2025-06-15'", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SILENCES)
def test_a_silence_is_compared_with_the_feed_s_own(build: duckdb.DuckDBPyConnection, tmp_path: Path, case: str) -> None:
    change, is_passed = SILENCES[case]
    build.execute(change)
    assert judged(build, tmp_path, "last_row_to_be_recent", column="order_date").is_passed is is_passed


RECENTLY = "where order_date > date '2025-12-03'"
DRIFTS = {
    "the usual amounts": ("select 1", "amount", True),
    "amounts in cents": (f"update marts.orders set amount = 100 * amount {RECENTLY}", "amount", False),
    "amounts cut off": (f"update marts.orders set amount = least(amount, 40) {RECENTLY}", "amount", False),
    "the usual channels": ("select 1", "channel", True),
    "a channel that is gone": (f"update marts.orders set channel = 'web' {RECENTLY}", "channel", False),
    "a new channel": (f"update marts.orders set channel = 'kiosk' {RECENTLY} and amount < 60", "channel", False),
    "too few to say": (f"delete from marts.orders {RECENTLY} and amount > 4", "amount", True),
}


@pytest.mark.parametrize("case", DRIFTS)
def test_recent_values_are_compared_with_the_year_before(
    build: duckdb.DuckDBPyConnection, tmp_path: Path, case: str
) -> None:
    change, column, is_passed = DRIFTS[case]
    build.execute(change)
    found = judged(
        build, tmp_path, "recent_values_to_be_usual", column=column, over="order_date", is_text=column == "channel"
    )
    assert found.is_passed is is_passed


def test_the_stability_index_is_that_of_the_formula(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """By hand: of 1,000 earlier rows 500 are a; of 1,000 recent ones 800: 0.3 ln 1.6 - 0.3 ln 0.4 is 0.4159."""
    build.execute("delete from marts.orders")
    build.execute(
        "insert into marts.orders "
        "select day_date, 0, case when n < count_a then 'a' else 'b' end from range(1000) as t (n) "
        "cross join (values (date '2025-06-01', 500), (date '2025-12-30', 800)) as days (day_date, count_a)"
    )
    chance = 0.002 * (1 + 3 * 2**0.5)
    for limit, is_passed in ((0.41 - chance, False), (0.42 - chance, True)):
        found = judged(
            build, tmp_path, "recent_values_to_be_usual", column="channel", over="order_date", is_text=True, limit=limit
        )
        assert found.is_passed is is_passed


SECOND_TELLINGS = {
    "the table itself": ("marts.orders", 0),
    "a query that says the same": ("(select order_date, amount + 1 - 1 as amount from marts.orders)", 0),
    "another amount in one row": (
        "(select order_date, amount + (row_number() over () = 5)::int as amount from marts.orders)", 1,
    ),
    "a row that is missing": ("(select * from marts.orders where order_date > date '2025-10-01')", 1),
    "a row twice": ("(from marts.orders union all (from marts.orders limit 1))", 1),
    "no rows": ("(from marts.orders where false)", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", SECOND_TELLINGS)
def test_columns_are_compared_with_a_second_telling_of_them(
    build: duckdb.DuckDBPyConnection, tmp_path: Path, case: str
) -> None:
    told_by, differing = SECOND_TELLINGS[case]
    found = judged(build, tmp_path, "columns_to_be_as_told_by", key=["order_date"], columns=["amount"], told_by=told_by)
    assert (found.is_passed, found.failing_rows) == (differing == 0, differing)


def test_the_columns_that_differ_are_counted(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    told_by = "(select order_date, amount, amount + 1 as higher, amount as same from marts.orders)"
    build.execute(
        "create or replace table marts.orders as select *, amount as higher, amount as same from marts.orders"
    )
    found = judged(
        build,
        tmp_path,
        "columns_to_be_as_told_by",
        key=["order_date"],
        columns=["amount", "higher", "same"],
        told_by=told_by,
    )
    assert (found.failing_rows, found.observed) == (1, "observed 1")
