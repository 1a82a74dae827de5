"""What a metric is made of, as a reader of the published version finds it: tables, settings, orders that are left out.

Belongs here: what follows for every metric from its line of the registry. Does not belong here: recounting a headline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from dagster_project.explaining.waterfall import Step

LINES = ("marts.fct_orders", "marts.fct_order_lines", "marts.dim_products")
TABLES_OF_FEEDS: Mapping[str, tuple[str, ...]] = {
    "orders": ("marts.fct_orders",),
    "discounts": ("marts.fct_orders",),
    "product_kinds": LINES,
    "quality_lines": LINES,
    "product_prices": LINES,
    "launch_dates": LINES,
    "survey_invitations": ("marts.fct_survey_invitations",),
    "support_contacts": ("marts.fct_support_contacts",),
    "complaints": ("marts.fct_support_contacts",),
    "mentions": ("marts.fct_mentions", "models.text_sentiment"),
    "points": ("marts.fct_points_ledger", "marts.fct_tier_changes", "marts.fct_orders"),
    "badges": ("marts.fct_badges", "marts.fct_points_ledger"),
    "referrals": ("marts.fct_referrals", "marts.fct_orders"),
    "subscriptions": ("marts.fct_subscriptions",),
    "campaign_messages": ("marts.fct_campaign_messages",),
    "costs": ("marts.fct_costs", "marts.fct_orders"),
}
"""By feed of the registry; every other feed is an instrument of `marts.fct_feedback`."""
LATEST_NUMBERS = """
from {database}marts.loyalty_metrics
where metric = $metric and (segment_type = 'all' or (period_type = 'lifetime' and not exists (
    select 1 from {database}marts.loyalty_metrics where metric = $metric and segment_type = 'all'
)))
qualify rank() over (partition by period_type order by period_start desc) = 1
order by period_type, try_cast(segment as bigint), segment
"""
"""Of a metric the latest number of each kind of period; of one that has no whole, those of each part's lifetime."""
ANSWERS = ("marts.fct_feedback",)


def tables_of(feed: str) -> tuple[str, ...]:
    """The published tables that a feed's metrics are counted in."""
    return TABLES_OF_FEEDS.get(feed, ANSWERS)


def count_of_rows(con: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[str, int]:
    """Published tables with their rows."""
    return {table: con.execute(f"select count(*) from {table}").fetchall()[0][0] for table in tables}


def settings_in(definition: str, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a definition of the registry names in braces, with their values of the night."""
    return {name: definitions.get(name) for name in dict.fromkeys(re.findall(r"\{(\w+)\}", definition))}


def with_settings(definition: str, definitions: Mapping[str, Any]) -> str:
    """A definition of the registry with the night's settings in place of their names in braces."""
    for name, given in definitions.items():
        definition = definition.replace(f"{{{name}}}", str(given))
    return definition


def published_waterfall(con: duckdb.DuckDBPyConnection, metric: str) -> list[Step]:
    """From every accepted order to those that the metric may count; empty for a metric that counts no orders."""
    rows = con.execute(
        "select step, is_counted, count_orders, total_gross, count_orders_left from marts.order_waterfalls "
        "where metric = ? order by step_number",
        [metric],
    ).fetchall()
    if not rows:
        return []
    start = Step("orders accepted", 0, None, sum(count for _, _, count, _, _ in rows))
    return [start, *(Step(step, count, gross, left) for step, is_counted, count, gross, left in rows if not is_counted)]
