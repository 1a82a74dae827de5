"""Rows with faults: the night goes on without them, the quarantine names each with its reasons, nothing else moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from corner_shop import CornerShop

QUARANTINE = "select model, source, file, row_number, reasons from quality.quarantined_rows order by all"
ORDERS = "select * from marts.fct_orders order by order_id"


@dataclass(frozen=True)
class BadNight:
    """The night before and the night with bad rows, and which rows were expected to be refused."""

    before: CornerShop
    after: CornerShop
    expected: list[tuple[Any, ...]]
    conflicting_order_id: str


def order(order_id: str, **changes: str) -> list[str]:
    row = {
        "order_id": order_id, "customer_id": "c000001", "ordered_at": "2025-12-01 10:00:00", "status": "delivered",
        "payment_status": "paid", "currency": "EUR", "discount_amount": "0.00", "shipping_amount": "4.90",
        "tax_amount": "1.00", "channel": "web", "device": "phone", "coupon_code": "", "is_test": "false",
        "is_gift_card_only": "false", "delivery_promised_on": "2025-12-05", "delivered_at": "2025-12-02 10:00:00",
        "updated_at": "2025-12-02 10:00:00",
    }  # fmt: skip
    return list((row | changes).values())


@pytest.fixture(scope="module")
def bad_night(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> BadNight:
    """One night that meets every kind of bad row at once."""
    shop = published_shop.copy_to(tmp_path_factory.mktemp("bad_rows") / "shop")
    repeated, superseded = shop.row("orders.csv", 5), shop.row("orders.csv", 7)
    later = [*superseded[:3], "shipped", *superseded[4:-1], "2025-12-29 10:00:00"]
    unreadable = b"x5,c000001,\xff\xfe,delivered,paid,EUR,0,0,0,web,phone,,false,false,,,"
    reasons = [
        (order("x1", discount_amount="ten"), "`discount_amount` is not a number below 100,000,000,000"),
        (order("x2", ordered_at="12/31/2025 10:00"), "`ordered_at` is not a time like 2025-01-31 13:45:00"),
        (order("x3", ordered_at="31.12.2025"), "`ordered_at` is not a time like 2025-01-31 13:45:00"),
        (order("x4", ordered_at="2999-01-01 00:00:00"), "`ordered_at` lies after the load"),
        (order("", status=""), "`order_id` is missing; `status` is missing"),
    ]
    orders = shop.append("orders.csv", *[row for row, _ in reasons], repeated, later, unreadable)
    lines = shop.append(
        "order_lines.csv.gz",
        ["o0000000001", "90", "p001", "two", "1.00"],
        ["o0000000001", "91", "p001", "1", "1.0.0"],
        ["o9999999", "1", "p001", "1", "1.00"],
    )
    answers = shop.append(
        "survey_answers.csv", ["x1", "", "c000001", "", "nps", "11", "email", "de", "2025-12-01 10:00", ""]
    )
    expected = [
        *(
            ("stg_demo__orders", "demo", "orders.csv", number, reason)
            for number, (_, reason) in zip(orders, reasons, strict=False)
        ),
        ("stg_demo__orders", "demo", "orders.csv", 5, "`order_id` repeats: a later row stands"),
        ("stg_demo__orders", "demo", "orders.csv", 7, "`order_id` repeats: a later row stands"),
        # an unreadable record has no place among the rows: its number is the line in the file, the header's included
        ("raw.demo__orders", "demo", "orders.csv", orders[-1] + 1, "invalid characters for the encoding"),
        ("stg_demo__order_lines", "demo", "order_lines.csv.gz", lines[0], "`quantity` is not a whole number"),
        (
            "stg_demo__order_lines",
            "demo",
            "order_lines.csv.gz",
            lines[1],
            "`unit_price` is not a number below 100,000,000,000",
        ),
        ("stg_demo__order_lines", "demo", "order_lines.csv.gz", lines[2], "`order_id` names no accepted order"),
        (
            "stg_demo__survey_answers",
            "demo",
            "survey_answers.csv",
            answers[0],
            "`score` is off the scale of its question",
        ),
    ]
    shop.run()
    return BadNight(published_shop, shop, expected, superseded[0])


def test_each_bad_row_is_in_the_quarantine_with_file_row_and_reasons(bad_night: BadNight) -> None:
    before = bad_night.before.query(QUARANTINE)
    assert bad_night.after.query(QUARANTINE) == sorted([*before, *bad_night.expected])


def test_all_other_orders_are_as_they_were(bad_night: BadNight) -> None:
    before, after = bad_night.before.query(ORDERS), bad_night.after.query(ORDERS)
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert [bad_night.conflicting_order_id in old for old, _ in changed] == [True]


def test_of_two_versions_of_an_order_the_later_stands(bad_night: BadNight) -> None:
    status = f"select order_status from marts.fct_orders where order_id = '{bad_night.conflicting_order_id}'"
    assert bad_night.before.query(status) != [("shipped",)]
    assert bad_night.after.query(status) == [("shipped",)]


def test_every_total_still_reconciles(bad_night: BadNight) -> None:
    [(totals, reconciled)] = bad_night.after.query(
        "select count(*), count(*) filter (where is_reconciled and difference = 0) from quality.reconciliation"
    )
    assert totals == reconciled > 0


def test_no_raw_value_of_a_refused_row_is_published(bad_night: BadNight) -> None:
    [(columns,)] = bad_night.after.query(
        "select list(column_name order by column_index) from duckdb_columns() where table_name = 'quarantined_rows'"
    )
    assert columns == ["model", "source", "raw_table", "file", "row_number", "reasons"]
