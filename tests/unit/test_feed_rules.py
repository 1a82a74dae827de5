"""The limit of what a feed may refuse, as the SQL that it becomes, on either side of the limit."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from dagster_project.feed_rules import MOST_DAMAGED, column_rules, quarantine_rules
from dagster_project.settings import DEFAULT_CONFIG, load_settings
from dagster_project.source_settings import FileFeed

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
    from dagster_project.settings import PROJECT_ROOT

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
