"""The headline numbers: each with its interval, its base, its period and its definition."""

from __future__ import annotations

import datetime as dt

from dagster_project.reporting import formats, queries
from dagster_project.reporting.metrics import Metrics, Period, base
from dagster_project.reporting.page import Card, Section
from dagster_project.reporting.published import Published, Row

OWN_DEFINITIONS = {
    "customers": "Customers with at least one valid order up to the as-of day; valid means that no exclusion reason "
    "applies",
    "active_customers": "Customers with a purchase in the trailing window",
    "net_revenue": "Items less discounts less refunds of all revenue orders in the trailing window, on the order's "
    "own day; "
    "orders without a known customer included",
}
NO_FEEDBACK = {"nps": "no source of NPS answers", "csat_share": "no source of satisfaction ratings"}


def headline(shop: Published, metrics: Metrics) -> Section:
    """Cards for the numbers that a reader wants first."""
    counts = shop.row(queries.CUSTOMERS)
    window = _window(metrics)
    month, quarter = metrics.last_month(), metrics.last_quarter()
    since = f"since {formats.day(lifetime['period_start'])}" if (lifetime := _lifetime(metrics)) else "whole history"
    named = (
        ("Repeat purchase rate", "repeat_purchase_rate", "lifetime", since),
        (
            "Repeat purchase within the window",
            "repeat_purchase_rate_within_window",
            "lifetime",
            "whose window has closed",
        ),
        ("Purchase frequency, per customer", "purchase_frequency", "trailing_window", window.name),
        ("Average order value", "average_order_value", "trailing_window", window.name),
        ("Average order value, all time", "average_order_value", "lifetime", since),
    )
    asked = (
        ("Net Promoter Score (NPS)", "nps", "trailing_window", window.name),
        ("Satisfied customers (CSAT)", "csat_share", "trailing_window", window.name),
    )
    cards = [
        *_count_cards(shop, counts, window),
        *(metric_card(metrics, label, name, metrics.over(name, kind), told) for label, name, kind, told in named),
        *(
            metric_card(metrics, f"{word}, last {period.kind}", name, metrics.at(name, period), period.name)
            for period in (month, quarter)
            for word, name in (("Retention rate", "retention_rate"), ("Churn rate", "churn_rate"))
        ),
        *(metric_card(metrics, label, name, metrics.over(name, kind), told) for label, name, kind, told in asked),
    ]
    return Section(
        anchor="headline",
        title="Headline numbers",
        lead=_lead(counts, metrics),
        cards=cards,
        notes=(
            "Point at a number to read its definition, or follow it to the table of definitions. “Not mature yet” "
            "marks a "
            "number that will still rise or fall as the youngest customers have had their time. Months and quarters "
            "are "
            "complete ones.",
        ),
    )


def metric_card(metrics: Metrics, label: str, metric: str, row: Row | None, period: str) -> Card:
    """A metric as a card; says why where there is no number to show."""
    if row is None or formats.is_absent(row["metric_value"]):
        reason = NO_FEEDBACK.get(metric) if not metrics.series(metric, "lifetime") else None
        return Card(label, formats.ABSENT, (period, reason or "no base in this period"), metric)
    tag = "" if row["is_mature"] else "not mature yet"
    if not row["has_minimum_base"]:
        notes = (period, f"{base(row)}, below the minimum base of {metrics.minimum_base()}")
        return Card(label, "not shown", notes, metric, row["definition"], tag)
    return Card(label, metrics.amount(row), (period, metrics.interval(row), base(row)), metric, row["definition"], tag)


def _count_cards(shop: Published, counts: Row, window: Period) -> list[Card]:
    """Counts and sums: exact, so without an interval."""
    revenue = shop.row(queries.REVENUE_SINCE, since=window.start, as_of=shop.as_of)
    known = f"of {formats.plural(counts['count_known'], 'known customer')}"
    active_share = counts["count_active"] / counts["count_customers"] if counts["count_customers"] else None
    of_all = f"{formats.share(active_share)} of customers" if active_share is not None else "no customers yet"
    net = formats.money(revenue["total_net"], shop.currency)
    orders = f"n = {formats.plural(revenue['count_orders'], 'order')}"
    return [
        Card(
            "Customers",
            formats.count(counts["count_customers"]),
            ("whole history", known, "exact count"),
            "customers",
            OWN_DEFINITIONS["customers"],
        ),
        Card(
            "Active customers",
            formats.count(counts["count_active"]),
            (window.name, of_all),
            "active_customers",
            OWN_DEFINITIONS["active_customers"],
        ),
        Card("Net revenue", net, (window.name, orders, "exact sum"), "net_revenue", OWN_DEFINITIONS["net_revenue"]),
    ]


def _lead(counts: Row, metrics: Metrics) -> str:
    if not counts["count_customers"]:
        return "No customer has a valid order yet, so there are no rates to show."
    parts = [f"{formats.plural(counts['count_customers'], 'customer')} have bought at least once"]
    repeat = _lifetime(metrics)
    if repeat and repeat["has_minimum_base"]:
        parts[0] += f", and {metrics.amount(repeat)} of them came back so far ({metrics.interval(repeat)})"
    period = metrics.last_month()
    retention = metrics.at("retention_rate", period)
    if retention and retention["has_minimum_base"]:
        parts.append(
            f"of those who bought in the month before, {metrics.amount(retention)} bought again in {period.name}"
        )
    return "; ".join(parts) + "."


def _lifetime(metrics: Metrics) -> Row | None:
    return metrics.over("repeat_purchase_rate", "lifetime")


def _window(metrics: Metrics) -> Period:
    """The trailing window; a year where no metric tells."""
    starts = [row["period_start"] for row in metrics.found if row["period_type"] == "trailing_window"]
    start = starts[0] if starts else metrics.as_of - dt.timedelta(days=364)
    days = (metrics.as_of - start).days + 1
    return Period("trailing_window", start, f"{days} days to {formats.day(metrics.as_of)}")
