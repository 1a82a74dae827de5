"""The limit of what a feed may refuse, as the SQL that it becomes, on either side of the limit."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from dagster_project.feed_rules import MOST_DAMAGED, column_rules, quarantine_rules, rhythm_rules, with_rhythms
from dagster_project.settings import DEFAULT_CONFIG, PROJECT_ROOT, Settings, load_settings
from dagster_project.source_settings import FileFeed
from dagster_project.staged_feeds import StagedFeed, staged_feeds
from dagster_project.standard.tables import standard_tables
from expectations.custom import ExpectDailyRowsToBeUsual, ExpectLastRowToBeRecent
from expectations.suite import Rule, Suite

BATCH = "quality.quarantined_rows"


def breaking_rows(tmp_path: Path, refused: int, superseded: int, unreadable: int, seen: int) -> int:
    """How many rows break the rule of `demo.orders`, of which 5 % may be refused."""
    rules = {rule.name: rule for rule in quarantine_rules(load_settings(DEFAULT_CONFIG, home=tmp_path))}
    query = rules["demo__orders_is_mostly_accepted"].rows_that_break
    assert query is not None
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as scratch; create schema scratch.raw; create schema quality")
        con.execute("create table scratch.raw.demo__orders as from range(?)", [seen])
        con.execute(
            "create table quality.reconciliation as select * from (values ('raw', 'stg_demo__orders', 'rows', ?), "
            "('raw', 'stg_demo__orders', 'discount_amount', 1), ('raw', 'stg_demo__refunds', 'rows', 7)) "
            "as t (layer_from, entity, measure, total_from)",
            [seen],
        )
        con.execute("create table quality.quarantined_rows (model varchar, source varchar, raw_table varchar, "
                    "file varchar, row_number bigint, reasons varchar)")  # fmt: skip
        for model, reasons, count, first in (
            ("stg_demo__orders", "`status` is missing", refused, 0),
            ("stg_demo__orders", "`order_id` repeats: a later row stands", superseded, 1000),
            ("stg_demo__orders", "`order_id` is gone: deleted at the source", superseded, 3000),
            ("raw.demo__orders", "invalid characters", unreadable, 2000),
            ("stg_demo__refunds", "`status` is missing", 50, 0),
        ):
            feed = "demo__refunds" if "refunds" in model else "demo__orders"
            con.execute(
                "insert into quality.quarantined_rows select ?, 'demo', ?, 'f.csv', range + ?, ? from range(?)",
                [model, feed, first, reasons, count],
            )
        return len(con.execute(query.format(batch=BATCH)).fetchall())


@pytest.mark.parametrize(
    ("refused", "superseded", "unreadable", "seen", "breaking"),
    [
        (0, 0, 0, 100, 0),
        (5, 0, 0, 100, 0),
        (6, 0, 0, 100, 6),
        (5, 90, 0, 100, 0),
        (4, 0, 2, 98, 6),
        (3, 0, 2, 98, 0),
        (0, 0, 6, 0, 6),
        (0, 0, 1, 100, 0),
        (0, 0, 6, 100, 6),
    ],
)
def test_a_feed_breaks_its_limit_by_faults_and_not_by_versions_replaced_or_deleted(
    refused: int, superseded: int, unreadable: int, seen: int, breaking: int, tmp_path: Path
) -> None:
    assert breaking_rows(tmp_path, refused, superseded, unreadable, seen) == breaking


def test_the_staging_models_end_the_reason_of_a_row_that_was_good_once_as_the_rule_expects() -> None:
    from dagster_project.feed_rules import NO_FAULT

    macros = (PROJECT_ROOT / "dbt_models/macros/staging.sql").read_text(encoding="utf-8")
    assert all(f": {reason}' end" in macros for reason in NO_FAULT)


@pytest.mark.parametrize(
    ("text", "words", "letters"),
    [
        ("NULL", 1, 0),
        (" nan ", 1, 0),
        ("Nancy", 0, 0),
        ("nullify", 0, 0),
        ("", 0, 0),
        ("S\u00c3O PAULO", 0, 0),  # as Portuguese writes it
        ("M\u00fcller", 0, 0),
        ("M\u00c3\u00bcller", 0, 1),  # its UTF-8 read as Latin-1
        ("M\ufffdller", 0, 1),
        (None, 0, 0),
    ],
)
def test_fields_say_nothing_by_being_empty_and_letters_come_whole(text: str | None, words: int, letters: int) -> None:
    feed = FileFeed(files="people.csv", columns=("id", "Full name"), optional_columns=("nick",))
    conditions = {rule.name: rule.arguments["condition"] for rule in column_rules(feed)}
    with duckdb.connect() as con:
        con.execute('create table people as select 1 as id, ? as "Full name"', [text])
        found = {
            name: con.execute(f"select count(*) from people where {condition}").fetchall()
            for name, condition in conditions.items()
        }
    assert found == {"fields_are_empty_rather_than_named_nothing": [(words,)], "letters_came_whole": [(letters,)]}


def test_a_few_rows_of_a_feed_may_be_damaged() -> None:
    assert {rule.arguments["at_most"] for rule in column_rules(FileFeed(files="a.csv", columns=("id",)))} == {
        MOST_DAMAGED
    }


OF_NO_MOMENT = {"category_names", "order_customers", "product_prices", "products"}
"""Staged catalogues: their rows do not happen."""


@pytest.mark.parametrize("example", ["demo", "olist", "online_retail", "cdnow"])
def test_every_staged_feed_is_found_with_the_column_of_its_time(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOYALTY_DATA", str(tmp_path))
    found = list(staged_feeds(load_settings(PROJECT_ROOT / f"examples/{example}.yaml", home=tmp_path)))
    folder = PROJECT_ROOT / "dbt_models/models/staging" / example
    staged = {path.stem for path in folder.glob("*.sql") if "judged_rows(" in path.read_text(encoding="utf-8")}
    assert {one.model for one in found} == staged
    without = {one.model.removeprefix(f"stg_{example}__") for one in found if one.happened_at is None}
    assert without == OF_NO_MOMENT & {model.removeprefix(f"stg_{example}__") for model in staged}
    for one in found:
        if one.happened_at is not None:
            assert f" as {one.happened_at},\n" in (folder / f"{one.model}.sql").read_text(encoding="utf-8")


def test_a_staged_feed_is_the_one_that_its_model_judges(tmp_path: Path) -> None:
    feeds = {one.model: one.feed.origin for one in staged_feeds(load_settings(DEFAULT_CONFIG, home=tmp_path))}
    assert feeds["stg_demo__guest_contacts"] == "files `guest_contacts.csv`", "it reads the orders, too"
    assert feeds["stg_demo__costs"] == "files `marketing_costs.csv`"
    assert len(feeds) == len(set(feeds.values())) == 24


def test_feeds_of_a_standard_source_are_found_too(tmp_path: Path) -> None:
    found = {one.model: one.happened_at for one in staged_feeds(standard_shop(tmp_path))}
    assert found.keys() == {f"stg_shop__{name}" for name in standard_tables()}
    assert {name for name, happened_at in found.items() if happened_at is None} == {
        f"stg_shop__{name}" for name, table in standard_tables().items()
        if not table.happened_at and not table.happens_with_parent
    }  # fmt: skip


def standard_shop(folder: Path) -> Settings:
    tables = "".join(f"      {name}: {{}}\n" for name in standard_tables())
    config = folder / "loyalty.yaml"
    config.write_text(
        "business: {name: Shop, time_zone: Europe/Berlin, currency: EUR, first_night: 2025-01-01}\n"
        f"sources:\n  shop:\n    is_standard: true\n    folder: {folder}\n    tables:\n{tables}",
        encoding="utf-8",
    )
    return load_settings(config, home=folder)


def test_a_staged_table_without_a_suite_gets_one_of_its_rhythm(tmp_path: Path) -> None:
    kept = Rule("it_is_so", "Why.", "critical", "till", rows_that_break="select 1 from {batch}")
    given = [Suite("staging", "stg_demo__visits", (kept,)), Suite("staging", "stg_demo__products", (kept,))]
    told = {suite.table: suite for suite in with_rhythms(given, load_settings(DEFAULT_CONFIG, home=tmp_path))}
    rhythm = ["rows_of_each_day_are_as_many_as_usual", "rows_have_not_fallen_silent"]
    assert [rule.name for rule in told["stg_demo__visits"].rules] == ["it_is_so", *rhythm]
    assert [rule.name for rule in told["stg_demo__products"].rules] == ["it_is_so"]
    assert [rule.name for rule in told["stg_demo__survey_answers"].rules] == rhythm
    assert {rule.severity for rule in told["stg_demo__survey_answers"].rules} == {"warning"}


RHYTHMS: dict[str, tuple[str, float | None, int, int]] = {
    "a usual feed": ("true", None, 0, 0),
    "a day that is missing": ("day_date <> date '2025-12-20'", None, 1, 0),
    "the last two days are missing": ("day_date < date '2025-12-30'", None, 2, 0),
    "a feed that may be two days late": ("day_date < date '2025-12-30'", 48, 0, 0),
    "five days without a row": ("day_date < date '2025-12-27'", None, 5, 1),
    "five days of a feed that comes once a week": ("day_date < date '2025-12-27'", 7 * 24, 0, 0),
}


@pytest.mark.parametrize("case", RHYTHMS)
def test_a_feed_is_held_to_its_own_rhythm_on_the_days_of_the_business(case: str) -> None:
    """Forty rows a day, each half an hour after midnight in Berlin, which is the day before in UTC."""
    kept, stale_after_hours, count_unusual, count_silent = RHYTHMS[case]
    feed = FileFeed(files="visits.csv", columns=("id",), stale_after_hours=stale_after_hours)
    volume, silence = rhythm_rules(StagedFeed("stg_shop__visits", feed, "started_at"), "Europe/Berlin")
    with duckdb.connect() as con:
        con.execute(
            "create table visits as select timezone('UTC', timezone('Europe/Berlin', day_date + interval 30 minute)) "
            "as started_at from (select date '2025-12-31' - cast(back as integer) as day_date "
            "from range(200) as t (back)) as days "
            f"cross join range(40) where {kept}"
        )
        found = [
            con.execute(str(rule.unexpected_rows_query).replace("{batch}", "visits")).fetchall()
            for rule in (
                ExpectDailyRowsToBeUsual(**volume.arguments, as_of="2025-12-31"),
                ExpectLastRowToBeRecent(**silence.arguments, as_of="2025-12-31"),
            )
        ]
    assert [len(rows) for rows in found] == [count_unusual, count_silent]
