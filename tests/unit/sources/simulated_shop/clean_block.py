"""A block of clean feeds, small and made by rule, for tests of what is done to feeds."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.feeds import FEEDS

FIRST_DAY = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - times of the shop are local and naive


def clean_block(people: int = 300, first: int = 0, orders_each: int = 4) -> dict[str, pa.Table]:
    """Feeds of `people` customers numbered from `first`; the block of all is the blocks of its parts in turn."""
    rng = np.random.default_rng(11)
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in FEEDS}
    draws = rng.random((first + people, orders_each, 4))
    for person in range(first, first + people):
        customer = f"c{person:06d}"
        for number in range(orders_each):
            _order(rows, draws[person, number], customer, person * orders_each + number, number)
        start = _moment(0)
        rows["customers"].append((customer, start, "DE", "search", "consumer", start))
        mail, phone = f"p.{person}@example.org", f"+4930{person:07d}"
        rows["contacts"].append((customer, mail, phone, "A B", "1990-02-28", "k1", "@p", True, "email", "tea", start))
    for day in range(60 if first == 0 else 0):
        rows["exchange_rates"].append((FIRST_DAY.date() + dt.timedelta(days=day), "USD", "0.9123"))
    return {name: _table(name, found) for name, found in rows.items() if found}


def _order(rows: dict[str, list[tuple[Any, ...]]], draw: Any, customer: str, place: int, number: int) -> None:
    order, day = f"o{place:07d}", int(draw[0] * 400) + number * 10
    if number == 0 and place % 5 == 0:
        day = 90 if place % 2 else 300  # 31 March and 27 October 2024: the clocks change
    at = _moment(day, int(draw[1] * 80_000))
    delivered = at + dt.timedelta(days=3)
    owner = None if place % 17 == 3 else customer
    paid, sent_by = ("paid", "EUR", "0.00", "4.90", "1.00"), ("web", "phone", None)
    times = (at.date() + dt.timedelta(days=4), delivered, delivered)
    rows["orders"].append((order, owner, at, "delivered", *paid, *sent_by, False, False, *times))
    for line in range(1, 2 + place % 3):
        rows["order_lines"].append((order, line, f"p{line:03d}", 1 + place % 4, f"{5 + line}.50"))
    if place % 3 == 0:
        rows["refunds"].append((f"r{place:06d}", order, delivered + dt.timedelta(days=2), "3.20", "damaged"))
    sent = delivered + dt.timedelta(days=1)
    rows["survey_invitations"].append(
        (f"i{place:06d}", "relationship", f"2024-q{number + 1}", customer, order, "email", sent, "delivered")
    )
    rows["survey_answers"].append(
        (f"a{place:06d}", f"i{place:06d}", customer, order, "nps", place % 11, "email", "en", sent, "fine, thanks")
    )
    rows["reviews"].append((f"v{place:06d}", customer, order, 1 + place % 5, "good, really", "en", sent, sent))
    for step, (event, points) in enumerate((("earn", 50), ("redeem", -20), ("bonus", 5))):
        when = at + dt.timedelta(hours=step)
        rows["points_ledger"].append(
            (f"e{place:06d}{step}", number * 3 + step, customer, event, points, order, when, when, None)
        )


def _moment(day: int, second: int = 36_000) -> dt.datetime:
    return FIRST_DAY + dt.timedelta(days=day, seconds=second)


def _table(name: str, rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = dict(zip(FEEDS[name].columns, zip(*rows, strict=True), strict=True))
    table = pa.table({column: pa.array(values) for column, values in columns.items()})
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.timestamp("s")))
    return table
