"""Dirt: every kind is planted where it says, is listed to the last field, and leaves everything else as it was."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pytest
from clean_block import clean_block

from dagster_project.sources.simulated_shop.dirt import KINDS, Dirt, DirtError, Soiled, soil
from dagster_project.sources.simulated_shop.dirt.eligibility import hours_of
from dagster_project.sources.simulated_shop.dirt.kind import Kind, as_text
from dagster_project.sources.simulated_shop.feeds import FEEDS

SHARE = 0.2
Row = tuple[str | None, ...]


@pytest.fixture(scope="module")
def block() -> dict[str, pa.Table]:
    return clean_block()


def only(*kinds: str, share: float = SHARE) -> Dirt:
    return Dirt(shares=dict.fromkeys(kinds, share))


def texts(table: pa.Table) -> list[Row]:
    return list(zip(*(as_text(table.column(name)).to_pylist() for name in table.column_names), strict=True))


def key_of(feed: str, row: Row) -> str:
    columns = FEEDS[feed].columns
    return "|".join(row[columns.index(name)] or "" for name in FEEDS[feed].key)


def planted_rows(soiled: Soiled) -> dict[tuple[str, str, str], dict[str | None, tuple[str | None, str | None]]]:
    """By feed, how and key: what each changed column was and became."""
    found: dict[tuple[str, str, str], dict[str | None, tuple[str | None, str | None]]] = {}
    for row in soiled.planted.to_pylist():
        fields = found.setdefault((row["feed"], row["how"], row["key"]), {})
        assert row["column"] not in fields
        fields[row["column"]] = (row["original"], row["planted"])
    return found


def cleaned(feed: str, soiled: Soiled, clean: Mapping[str, pa.Table]) -> Counter[Row]:
    """The feed after every listed change is taken back."""
    rows, columns = Counter(texts(soiled.feeds[feed])), FEEDS[feed].columns
    by_key = {key_of(feed, row): row for row in texts(clean[feed])}
    for (name, how, key), fields in planted_rows(soiled).items():
        if name != feed or how == "cut":
            continue
        was = by_key[key]
        for column, (original, _) in fields.items():
            assert column is None or was[columns.index(column)] == original
        became = tuple(
            fields[column][1] if column in fields else value for column, value in zip(columns, was, strict=True)
        )
        if how != "removed":
            assert rows[became] > 0, (key, became)
            rows[became] -= 1
        if how in ("rewritten", "removed"):
            rows[was] += 1
    return +rows


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_is_planted_and_what_is_listed_takes_it_back(kind: Kind, block: dict[str, pa.Table]) -> None:
    soiled = soil(block, only(kind.name), seed=3)
    assert set(soiled.planted.column("kind").to_pylist()) == {kind.name}
    touched = {kind.feed, *(along.feed for along in kind.followers)}
    assert set(soiled.planted.column("feed").to_pylist()) == touched
    for feed, clean in block.items():
        assert cleaned(feed, soiled, block) == Counter(texts(clean)), feed
        assert soiled.feeds[feed].column_names == clean.column_names
        if feed not in touched:
            assert soiled.feeds[feed] is clean


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_takes_its_share_of_the_eligible_rows(kind: Kind, block: dict[str, pa.Table]) -> None:
    rows = block[kind.feed].num_rows
    count = int(kind.eligible(block).sum()) if kind.eligible else rows
    planted = soil(block, only(kind.name), seed=3).planted.to_pylist()
    keys = {row["key"] for row in planted if row["feed"] == kind.feed}
    # kinds further up claim up to a tenth of the rows that this one could have had
    assert 0.9 * SHARE * count - 4 * (SHARE * count) ** 0.5 <= len(keys) <= SHARE * count + 4 * (SHARE * count) ** 0.5
    assert len(keys) > 0


def test_no_dirt_leaves_every_feed_as_it_is(block: dict[str, pa.Table]) -> None:
    soiled = soil(block, Dirt("none"), seed=3)
    assert soiled.feeds == block
    assert soiled.planted.num_rows == 0


def test_a_row_of_a_feed_has_one_kind_at_most(block: dict[str, pa.Table]) -> None:
    soiled = soil(block, Dirt(shares=dict.fromkeys(KINDS, 0.1)), seed=3)
    kinds: dict[tuple[str, str], set[str]] = {}
    for row in soiled.planted.to_pylist():
        if KINDS[row["kind"]].feed == row["feed"]:
            kinds.setdefault((row["feed"], row["key"]), set()).add(row["kind"])
    assert len(kinds) > 300
    assert {len(names) for names in kinds.values()} == {1}


def test_everything_at_once_can_be_taken_back_too(block: dict[str, pa.Table]) -> None:
    soiled = soil(
        block, only("wholesale_account", "order_without_currency", "quantity_in_words", "missing_rate"), seed=5
    )
    for feed, clean in block.items():
        assert cleaned(feed, soiled, block) == Counter(texts(clean)), feed


def test_dirt_does_not_depend_on_how_the_shop_is_cut_into_blocks(block: dict[str, pa.Table]) -> None:
    dirt = Dirt("heavy", {"unreadable_order_time": 0.05})
    whole = soil(block, dirt, seed=3)
    parts = [soil(clean_block(150, first), dirt, seed=3) for first in (0, 150)]
    listed = [tuple(row.values()) for part in parts for row in part.planted.to_pylist()]
    assert Counter(listed) == Counter(tuple(row.values()) for row in whole.planted.to_pylist())
    for feed in block:
        there = [part.feeds[feed] for part in parts if feed in part.feeds]
        assert [row for table in there for row in texts(table)] == texts(whole.feeds[feed]), feed


def test_a_kind_that_is_switched_off_leaves_the_others_as_they_are(block: dict[str, pa.Table]) -> None:
    heavy = soil(block, Dirt("heavy", {"edited_order": 0.005}), seed=3).planted
    without = soil(block, Dirt("heavy", {"edited_order": 0.0}), seed=3).planted
    others = [row for row in heavy.to_pylist() if row["kind"] != "edited_order"]
    assert len(others) < heavy.num_rows
    assert others == without.to_pylist()


def test_another_seed_takes_other_rows(block: dict[str, pa.Table]) -> None:
    first, second = (soil(block, only("repeated_order"), seed).planted.column("key").to_pylist() for seed in (1, 2))
    assert first != second
    assert first == soil(block, only("repeated_order"), 1).planted.column("key").to_pylist()


def test_levels_plant_more_and_more() -> None:
    block = clean_block(1_500)
    light, moderate, heavy = (soil(block, Dirt(level), 3).planted.num_rows for level in ("light", "moderate", "heavy"))  # type: ignore[arg-type]
    assert 0 < light < moderate < heavy


def test_an_older_version_stands_before_the_one_that_replaces_it(block: dict[str, pa.Table]) -> None:
    soiled = soil(block, only("reopened_order", "order_versions_of_one_moment"), seed=3)
    rows = texts(soiled.feeds["orders"])
    status, updated = FEEDS["orders"].columns.index("status"), FEEDS["orders"].columns.index("updated_at")
    versions = [(row, rows[place + 1]) for place, row in enumerate(rows[:-1]) if row[0] == rows[place + 1][0]]
    assert len(versions) > 50
    assert all((older[updated] or "") <= (newer[updated] or "") for older, newer in versions)
    reopened = [newer for older, newer in versions if older[status] == "cancelled"]
    assert {row[status] for row in reopened} == {"delivered"}


def test_times_on_the_days_when_the_clocks_change(block: dict[str, pa.Table]) -> None:
    assert [hours_of(day) for day in (dt.date(2024, 3, 31), dt.date(2024, 10, 27), dt.date(2024, 6, 1))] == [23, 25, 24]
    soiled = soil(block, only("order_in_the_skipped_hour", "order_in_the_doubled_hour"), seed=3)
    times = {row["planted"] for row in soiled.planted.to_pylist()}
    assert times == {"2024-03-31 02:30:00", "2024-10-27 02:30:00"}


def test_a_trader_brings_orders_and_their_lines(block: dict[str, pa.Table]) -> None:
    soiled = soil(block, only("wholesale_account", share=0.05), seed=3)
    traders = [row for row in texts(soiled.feeds["customers"]) if "wholesale" in row]
    orders = [row for row in texts(soiled.feeds["orders"]) if (row[1] or "").endswith("-trade")]
    lines = [row for row in texts(soiled.feeds["order_lines"]) if (row[0] or "").endswith("-trade")]
    assert {row[1] for row in orders} == {row[0] for row in traders}
    assert {row[0] for row in lines} == {row[0] for row in orders}
    assert all(int(row[3] or 0) >= 120 for row in lines)


def test_a_cut_line_is_no_row_and_takes_none_away(block: dict[str, pa.Table]) -> None:
    soiled = soil(block, only("cut_customer_row"), seed=3)
    assert texts(soiled.feeds["customers"]) == texts(block["customers"])
    assert soiled.cut_lines["customers"]
    assert all(line.count(",") == 1 for line in soiled.cut_lines["customers"])


def test_columns_that_dirt_writes_into_are_texts_in_every_block(block: dict[str, pa.Table]) -> None:
    dirt = Dirt("light")
    tables = [soil(clean_block(people), dirt, seed=3).feeds["orders"] for people in (1, 50)]
    assert tables[0].schema == tables[1].schema
    assert dirt.text_columns("orders") >= {"ordered_at", "currency"}
    assert tables[0].schema.field("shipping_amount").type == pa.string()


@pytest.mark.parametrize(
    ("level", "shares", "message"),
    [
        ("filthy", {}, "'filthy' is unknown; choose one of none, light, moderate, heavy"),
        ("none", {"mud": 0.1}, "'mud' is unknown; choose from repeated_order"),
        ("none", {"edited_order": 1.1}, "is 1.1; expected 0 to 1"),
    ],
)
def test_dirt_that_cannot_be_planted_is_an_error(level: str, shares: dict[str, float], message: str) -> None:
    with pytest.raises(DirtError, match=message):
        Dirt(level, shares)  # type: ignore[arg-type]
