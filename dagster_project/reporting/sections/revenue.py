"""What the shop sold, month by month, and how much of it came from customers who returned."""

from __future__ import annotations

import datetime as dt

from dagster_project.reporting import charts, formats, queries
from dagster_project.reporting.metrics import Metrics, previous_month
from dagster_project.reporting.page import Figure, Section, Table
from dagster_project.reporting.published import Published, Row

KINDS = ("first purchase", "repeat purchase", "no customer known")
TABLE_MONTHS = 24


def revenue(shop: Published, metrics: Metrics) -> Section:
    """Net revenue and orders of each month."""
    rows = shop.rows(queries.MONTHLY_ORDERS)
    title = "Revenue and orders"
    if not rows:
        return Section("revenue", title, "There is no revenue order yet, so there is no revenue to show.")
    last = metrics.last_month().start
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    unit = shop.currency or "money"
    pictures = []
    for column, name, y_title in (
        ("total_net", "Net revenue per month", f"Net revenue, {unit}"),
        ("count_orders", "Orders per month", "Orders"),
    ):
        points = [
            {
                "month": row["order_month"],
                "kind": row["kind"],
                "amount": row[column],
                "is_complete": row["order_month"] <= last,
            }
            for row in rows
        ]
        description = f"{name} from {formats.month(rows[0]['order_month'])} to {formats.month(rows[-1]['order_month'])}"
        svg = charts.monthly_bars(points, kinds, y_title, column.replace("_", "-"), description)
        pictures.append((name, svg))
    note = "The pale month is not over." if rows[-1]["order_month"] > last else ""
    (net_title, net_svg), (orders_title, orders_svg) = pictures
    return Section(
        anchor="revenue",
        title=title,
        lead=_lead(rows, last, shop.currency),
        figures=[
            Figure(net_title, net_svg, note, _table(rows, last, shop.currency)),
            Figure(orders_title, orders_svg, note),
        ],
        notes=(
            "A refund lowers the month of its order, whenever it was paid: late refunds still move earlier months. "
            "Orders without a known customer count as revenue and in no customer metric.",
        ),
    )


def _total(rows: list[Row], month: dt.date, column: str) -> float:
    return float(sum(row[column] for row in rows if row["order_month"] == month))


def _lead(rows: list[Row], last: dt.date, currency: str | None) -> str:
    first = min(row["order_month"] for row in rows)
    if first > last:
        return "The first month of orders is not over yet, so no two months can be compared."
    orders = _total(rows, last, "count_orders")
    net, before = _total(rows, last, "total_net"), _total(rows, previous_month(last), "total_net")
    text = (
        f"In {formats.month(last)}, the last complete month, {formats.plural(orders, 'order')} brought "
        f"{formats.money(net, currency)} net"
    )
    if previous_month(last) >= first and before > 0:
        earlier = f"{formats.month(previous_month(last))} ({formats.money(before, currency)})"
        text += f", {formats.change(net, before)} in {earlier}"
    total = sum(row["total_net"] for row in rows)
    repeat = sum(row["total_net"] for row in rows if row["kind"] == "repeat purchase")
    if total > 0:
        text += (
            f". Over the whole history {formats.share(float(repeat) / float(total))} of net came from repeat purchases"
        )
    return text + "."


def _table(rows: list[Row], last: dt.date, currency: str | None) -> Table:
    months = sorted({row["order_month"] for row in rows})[-TABLE_MONTHS:]
    body = []
    for month in months:
        of_month = {row["kind"]: row for row in rows if row["order_month"] == month}
        orders = [formats.count(of_month.get(kind, {}).get("count_orders", 0)) for kind in KINDS]
        label = formats.month(month) + ("" if month <= last else " (not over)")
        body.append((label, formats.money(_total(rows, month, "total_net"), currency), *orders))
    columns = ("Month", "# Net revenue", *(f"# Orders, {kind}" for kind in KINDS))
    return Table(f"The last {len(months)} months with orders", columns, body, is_folded=True)
