"""Orders of tiny shops as the tests think of them, the rows that they make, and the metrics that a night tells.

Belongs here: what several tests of metrics state and read. What the answer should be stands in the tests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

AS_OF = dt.date(2025, 12, 31)
WINDOW_START = AS_OF - dt.timedelta(days=364)
Found = dict[tuple[str, str, str, str, dt.date], tuple[Any, ...]]
"""Metric, split, segment, period type, first day -> numerator, denominator, value, bounds, bases, maturity, status."""


@dataclass(frozen=True)
class Order:
    """An order as the tests think of it; amounts in whole money."""

    number: int
    customer: str | None
    date: dt.date
    net: int
    discount: int = 0
    channel: str = "web"
    kind: str = "tea"
    reason: str | None = None

    def rows(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The order and its one line, as the warehouse has them."""
        reason = self.reason or (None if self.customer else "guest_unlinked")
        key = f"s:{self.number:06d}"
        order = {
            "order_key": key, "source_name": "s", "order_id": str(self.number), "customer_key": self.customer,
            "ordered_at": dt.datetime.combine(self.date, dt.time(12)), "order_date": self.date,
            "order_month": self.date.replace(day=1), "channel": self.channel, "device": "phone", "country_code": "DE",
            "gross_amount": Decimal(self.net), "net_amount": Decimal(self.net), "refunded_amount": Decimal(0),
            "discount_amount": Decimal(self.discount), "exclusion_reason": reason,
        }  # fmt: skip
        line = {
            "order_line_key": f"{key}:1", "order_key": key, "customer_key": self.customer, "order_date": self.date,
            "line_kind": "product", "product_kind": self.kind, "line_amount": Decimal(self.net), "quantity": 1,
            "is_valid": reason is None,
        }  # fmt: skip
        return order, line


def tables(orders: Sequence[Order]) -> dict[str, list[dict[str, Any]]]:
    rows = [order.rows() for order in orders]
    customers = sorted({order.customer for order in orders if order.customer})
    return {
        "int_orders_valued": [order for order, _ in rows],
        "fct_order_lines": [line for _, line in rows],
        "dim_customers": [{"customer_key": name, "acquisition_channel": "social"} for name in customers],
        "dim_products": [{"product_key": "s:p", "product_kind": "tea"}],
    }


def read(con: duckdb.DuckDBPyConnection) -> Found:
    rows = con.execute(
        "select metric, segment_type, segment, period_type, period_start, numerator, denominator, metric_value, "
        "ci_low, ci_high, count_observations, count_customers, is_mature, status from marts.loyalty_metrics"
    ).fetchall()
    found = {tuple(row[:5]): tuple(row[5:]) for row in rows}
    assert len(found) == len(rows)
    return found


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def shop(*rows: tuple[str | None, str, int], **other: Any) -> list[Order]:
    return [Order(number, customer, day(date), net, **other) for number, (customer, date, net) in enumerate(rows)]


def whole(found: Mapping[Any, tuple[Any, ...]], metric: str, period_type: str, start: str | dt.date) -> tuple[Any, ...]:
    date = day(start) if isinstance(start, str) else start
    return found[metric, "all", "all", period_type, date]
