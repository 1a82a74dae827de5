"""The contract of a feed: what counts as a change, and what each policy makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_cases import FIRST_NIGHT, Rows

from dagster_project.settings import DEFAULT_CONFIG, load_settings
from dagster_project.sources.configured import source_tables
from dagster_project.sources.contract import ContractBroken, column_changes
from dagster_project.sources.landing import land
from dagster_project.sources.ledger import Load, read_ledger
from dagster_project.sources.repetition import rewritten
from dagster_project.sources.tables import SourceTable

SECOND_NIGHT = FIRST_NIGHT + timedelta(days=1)
A = "order_id,amount\no1,10\no2,20\n"


def kinds(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(change.kind, change.column) for change in column_changes("f.csv", before, after)]


def text_columns(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "VARCHAR")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (text_columns("a", "b"), text_columns("b", "a"), []),
        (text_columns("a"), text_columns("a", "coupon"), [("new", "coupon")]),
        (text_columns("a", "coupon"), text_columns("a"), [("missing", "coupon")]),
        (text_columns("id", "status"), text_columns("id", "order_status"), [("renamed", "status")]),
        (text_columns("id", "status"), text_columns("id", "STATUS"), [("renamed", "status")]),
        (text_columns("id", "status"), text_columns("id", "phase"), [("renamed", "status")]),
        (text_columns("id", "status"), text_columns("phase", "id"), [("missing", "status"), ("new", "phase")]),
        ({"a": "BIGINT"}, {"a": "VARCHAR"}, [("retyped", "a")]),
        ({"a": "BIGINT"}, {"a": ""}, []),
    ],
)
def test_columns_are_new_missing_renamed_or_retyped(
    before: dict[str, str], after: dict[str, str], found: list[tuple[str, str]]
) -> None:
    assert kinds(before, after) == found


NAMES = st.lists(st.from_regex("[a-z]{1,6}", fullmatch=True), unique=True, max_size=6)


@given(NAMES, NAMES)
def test_every_column_that_comes_or_goes_is_told_once(before: list[str], after: list[str]) -> None:
    changes = column_changes("f.csv", text_columns(*before), text_columns(*after))
    renamed = [change for change in changes if change.kind == "renamed"]
    gone = [change.column for change in changes if change.kind in {"missing", "renamed"}]
    assert sorted(gone) == sorted(set(before) - set(after))
    come = [change.column for change in changes if change.kind == "new"]
    assert len(come) + len(renamed) == len(set(after) - set(before))


@pytest.fixture
def feed(orders: SourceTable, landing: Path) -> SourceTable:
    """A table whose first file is landed."""
    (orders.folder / "orders.csv").write_text(A)
    assert land(orders, landing, FIRST_NIGHT).changes == ()
    return orders


def deliver(feed: SourceTable, text: str) -> None:
    (feed.folder / "orders.csv").write_text(text)


def test_evolve_lands_a_new_column_and_tells_it_once(feed: SourceTable, landing: Path, landed_rows: Rows) -> None:
    deliver(feed, "order_id,amount,coupon\no1,10,X\n")
    landed = land(feed, landing, SECOND_NIGHT)
    assert [change.text for change in landed.changes] == ["column 'coupon' is new"]
    assert (landed.set_aside, landed_rows(feed)[0][:3]) == ((), ("o1", "10", "X"))
    assert land(feed, landing, SECOND_NIGHT).changes == ()


def test_a_missing_required_column_stops_with_what_has_changed_since_when(feed: SourceTable, landing: Path) -> None:
    deliver(feed, "order_id,net_amount\no1,10\n")
    with pytest.raises(ContractBroken) as caught:
        land(feed, landing, SECOND_NIGHT)
    assert "lacks column(s) 'amount'" in str(caught.value)
    assert str(caught.value).endswith(
        "; since the load of 2026-01-05 02:00 UTC column 'amount' is missing and 'net_amount' is new, "
        "which looks like a rename"
    )
    assert len(read_ledger(feed, landing)) == 1


def test_freeze_stops_at_any_change_and_lands_nothing(feed: SourceTable, landing: Path) -> None:
    deliver(feed, "order_id,amount,coupon\no1,10,X\n")
    with pytest.raises(
        ContractBroken, match=r"'orders\.csv' breaks a frozen contract: since .* column 'coupon' is new"
    ):
        land(replace(feed, when_changed="freeze"), landing, SECOND_NIGHT)
    assert len(read_ledger(feed, landing)) == 1
    deliver(feed, "order_id,amount\no9,90\n")
    assert land(replace(feed, when_changed="freeze"), landing, SECOND_NIGHT).files_new == 1


@pytest.mark.parametrize("text", ["order_id,amount,coupon\no1,10,X\n", "order_id,net_amount\no1,10\n"])
def test_quarantine_sets_the_file_aside_each_night_and_goes_on_with_what_there_was(
    text: str, feed: SourceTable, landing: Path, landed_rows: Rows
) -> None:
    guarded = replace(feed, when_changed="quarantine")
    before = landed_rows(feed)
    deliver(feed, text)
    for _ in range(2):
        landed = land(guarded, landing, SECOND_NIGHT)
        assert (landed.set_aside, landed.files_new, len(landed.changes)) == (("orders.csv",), 0, 1)
    assert landed_rows(feed) == before
    assert len(list((landing / "demo" / "orders").glob("*.parquet"))) == 1
    deliver(feed, "order_id,amount\no9,90\n")
    assert land(guarded, landing, SECOND_NIGHT).set_aside == ()
    assert landed_rows(feed)[0][:2] == ("o9", "90")


def test_quarantine_has_nothing_to_go_on_with_at_the_first_landing(orders: SourceTable, landing: Path) -> None:
    deliver(orders, "order_id\no1\n")
    with pytest.raises(ContractBroken, match=r"lacks column\(s\) 'amount'"):
        land(replace(orders, when_changed="quarantine"), landing, FIRST_NIGHT)


def test_a_retyped_column_of_a_typed_file_is_told(shop: Path, landing: Path) -> None:
    table = SourceTable("demo", "orders", shop, "orders.parquet", "parquet", ("amount",))
    pq.write_table(pa.table({"amount": pa.array([1], pa.int64())}), shop / "orders.parquet")
    land(table, landing, FIRST_NIGHT)
    pq.write_table(pa.table({"amount": pa.array(["1"])}), shop / "orders.parquet")
    [change] = land(table, landing, SECOND_NIGHT).changes
    assert change.text == "column 'amount' was BIGINT and is VARCHAR"


def test_a_new_code_is_told_and_one_that_was_ever_landed_is_not(orders: SourceTable, landing: Path) -> None:
    table = replace(orders, columns=("order_id", "status"), enumerations=("status",))
    told = []
    for day, codes in enumerate((["paid", "sent"], ["sent", "lost", " "], ["paid", "lost"])):
        rows = "".join(f"o{number},{code}\n" for number, code in enumerate(codes))
        deliver(table, f"order_id,status\n{rows}")
        told.append([change.text for change in land(table, landing, FIRST_NIGHT + timedelta(days=day)).changes])
    assert told == [[], ["column 'status' has new values: 'lost'"], []]


def test_the_built_in_shop_tells_a_new_status(shop: Path, landing: Path, tmp_path: Path) -> None:
    declared = source_tables(load_settings(DEFAULT_CONFIG, home=tmp_path))
    [table] = [replace(one, folder=shop) for one in declared if (one.source, one.table) == ("demo", "orders")]
    row = dict.fromkeys(table.columns, "") | {"order_id": "o1", "status": "delivered", "payment_status": "paid"}
    header = ",".join(table.columns)
    deliver(table, f"{header}\n{','.join(row.values())}\n")
    assert land(table, landing, FIRST_NIGHT).changes == ()
    lost = row | {"order_id": "o2", "status": "lost_at_sea"}
    deliver(table, f"{header}\n{','.join(row.values())}\n{','.join(lost.values())}\n")
    assert [change.text for change in land(table, landing, SECOND_NIGHT).changes] == [
        "column 'status' has new values: 'lost_at_sea'"
    ]


def test_what_does_not_look_like_a_code_is_not_quoted(orders: SourceTable, landing: Path) -> None:
    table = replace(orders, columns=("order_id", "status"), enumerations=("status",))
    deliver(table, "order_id,status\no1,paid\n")
    land(table, landing, FIRST_NIGHT)
    deliver(table, "order_id,status\no1,lost\no2,anna@mail.example\no3,Anna Schmidt\n")
    [change] = land(table, landing, SECOND_NIGHT).changes
    assert change.text == "column 'status' has new values: 'lost', 2 that are no code"
    deliver(table, "order_id,status\n" + "".join(f"o{number},n{number}\n" for number in range(11)))
    [change] = land(table, landing, SECOND_NIGHT).changes
    assert change.text == "column 'status' has more than 10 new values, as a column in the wrong place has"


def numbered(amounts: Iterable[int]) -> str:
    return "order_id,amount\n" + "".join(f"o{number},{amount}\n" for number, amount in enumerate(amounts))


ROWS = 1_000


@pytest.mark.parametrize(
    ("third", "told"),
    [
        (numbered([*range(ROWS), 7, 8]), []),
        (numbered([*range(30, 60), *range(30, ROWS)]), []),  # some edits
        (numbered(amount * 100 for amount in range(ROWS)), ["only 0.1% of the rows"]),
        (numbered([*range(ROWS)][::-1]), ["only 0.0% of the rows"]),
        (numbered(range(ROWS // 2)), ["only 50.0% of the rows"]),
    ],
)
def test_a_feed_that_used_to_repeat_itself_and_no_longer_does_is_told(
    third: str, told: list[str], shop: Path, landing: Path, orders: SourceTable
) -> None:
    file = shop / "orders.csv"
    for day, content in enumerate((numbered(range(ROWS - 1)), numbered(range(ROWS)))):
        file.write_text(content, encoding="utf-8")
        assert land(orders, landing, FIRST_NIGHT + timedelta(days=day)).changes == ()
    file.write_text(third, encoding="utf-8")
    changes = land(orders, landing, FIRST_NIGHT + timedelta(days=2)).changes
    assert [(change.kind, change.text.partition(" of the delivery")[0]) for change in changes] == [
        ("rewritten", text) for text in told
    ]


def test_a_feed_that_sends_other_rows_each_time_is_never_told_to_repeat_itself(
    shop: Path, landing: Path, orders: SourceTable
) -> None:
    for day in range(4):
        (shop / "orders.csv").write_text(numbered(range(day * ROWS, (day + 1) * ROWS)), encoding="utf-8")
        assert land(orders, landing, FIRST_NIGHT + timedelta(days=day)).changes == ()


def delivered(rows: int, repeats: float | None) -> Load:
    return Load("orders.csv", "1", "", 0, rows, 0, FIRST_NIGHT, {"order_id": "VARCHAR"}, repeats=repeats)


GROWING = [delivered(rows, 0.996) for rows in range(1_000, 1_009)]
SHORTER_ONCE = [*GROWING[:4], *GROWING]


@pytest.mark.parametrize(
    ("before", "last", "told"),
    [
        (GROWING, delivered(1_018, 0.996), []),
        (GROWING, delivered(1_018, 0.985), []),  # 15 edits, where 4 are usual
        (GROWING, delivered(1_018, 0.98), ["only 98.0% of the rows of the delivery before stand in it unchanged"]),
        (GROWING[:5], delivered(1_018, 0.98), []),  # too few deliveries to know what is usual
        (GROWING[:5], delivered(1_018, 0.94), ["only 94.0% of the rows of the delivery before"]),
        (GROWING, delivered(1_002, 0.99), ["it has 1002 rows, the delivery before had 1008"]),
        ([delivered(1_000, 1.0)] * 9, delivered(1_000, 0.997), ["only 99.7%"]),  # it was never edited
        (SHORTER_ONCE, delivered(1_002, 0.99), []),
        ([delivered(10, 1.0)] * 9, delivered(10, 0.8), []),  # two rows are nothing
        ([delivered(2, 1.0)] * 9, delivered(2, 0.0), ["only 0.0%"]),  # nothing is left
        ([delivered(1_000, 0.5)] * 9, delivered(400, 0.1), []),  # it never repeated itself
    ],
)
def test_a_feed_is_told_to_be_edited_more_than_it_was(before: list[Load], last: Load, told: list[str]) -> None:
    changes = rewritten(last, before)
    assert [change.text[: len(text)] for change, text in zip(changes, told, strict=True)] == told


def test_a_rewritten_delivery_is_told_again_when_it_is_put_right(
    shop: Path, landing: Path, orders: SourceTable
) -> None:
    file = shop / "orders.csv"
    days = [numbered(range(ROWS))] * 3 + [numbered(amount * 100 for amount in range(ROWS)), numbered(range(ROWS))]
    told = []
    for day, content in enumerate(days):
        file.write_text(content + f"later,{day}\n", encoding="utf-8")
        told.append(len(land(orders, landing, FIRST_NIGHT + timedelta(days=day)).changes))
    assert told == [0, 0, 0, 1, 1]


def test_a_frozen_feed_refuses_a_delivery_that_no_longer_repeats(
    shop: Path, landing: Path, orders: SourceTable
) -> None:
    file, frozen = shop / "orders.csv", replace(orders, when_changed="freeze")
    for day, rows in enumerate((ROWS - 1, ROWS)):
        file.write_text(numbered(range(rows)), encoding="utf-8")
        land(frozen, landing, FIRST_NIGHT + timedelta(days=day))
    file.write_text(numbered(-amount for amount in range(ROWS)), encoding="utf-8")
    with pytest.raises(
        ContractBroken, match=r"breaks a frozen contract: .* only 0\.1% of the rows of the delivery before"
    ):
        land(frozen, landing, FIRST_NIGHT + timedelta(days=2))
