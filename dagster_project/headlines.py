"""The few numbers that a person asks for first, read from a published version.

What belongs here: queries of the published warehouse for the command line. Pictures and prose are in `reporting`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

HEADLINES = (
    ("repeat_purchase_rate", "lifetime"),
    ("repeat_purchase_rate_within_window", "lifetime"),
    ("purchase_frequency", "trailing_window"),
    ("average_order_value", "trailing_window"),
    ("retention_rate", "quarter"),
    ("churn_rate", "quarter"),
    ("nps", "trailing_window"),
    ("csat_share", "trailing_window"),
)


@dataclass(frozen=True)
class Metric:
    """One number of `marts.loyalty_metrics`."""

    metric: str
    segment: str
    period_type: str
    period_start: Any
    metric_value: float | None
    ci_low: float | None
    ci_high: float | None
    count_observations: int
    unit: str
    is_mature: bool
    has_minimum_base: bool
    definition: str
    status: str
    status_reason: str | None


class UnknownMetric(ValueError):
    """There is no metric of that name; the message lists those that there are."""


@contextmanager
def reading(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection that can reach nothing but the published file."""
    with duckdb.connect(str(database), read_only=True) as con:
        con.execute("set enable_external_access = false")
        con.execute("set lock_configuration = true")
        yield con


def headline_metrics(con: duckdb.DuckDBPyConnection) -> list[Metric]:
    """The latest period of each headline metric; metrics without a source are not in it."""
    found = {(metric.metric, metric.period_type): metric for metric in metrics(con)}
    return [found[wanted] for wanted in HEADLINES if wanted in found]


def metrics(con: duckdb.DuckDBPyConnection, name: str | None = None) -> list[Metric]:
    """Metrics over the whole shop in time order, or those of one name; what is told by parts alone, then by parts.

    Raises:
        UnknownMetric: no metric has that name.
    """
    known = [metric for (metric,) in con.execute("select metric from marts.metric_definitions order by 1").fetchall()]
    if name is not None and name not in known:
        raise UnknownMetric(f"no metric '{name}'; there are: {', '.join(known)}")
    rows = con.execute(
        "select metric, segment, period_type, period_start, metric_value, ci_low, ci_high, count_observations, unit, "
        "is_mature, has_minimum_base, definition, status, status_reason from marts.loyalty_metrics "
        "where coalesce(metric = $name, true) and (segment_type = 'all' or ($name is not null and not exists ("
        "select 1 from marts.loyalty_metrics where metric = $name and segment_type = 'all'))) "
        "order by metric, period_type, period_start, try_cast(segment as bigint), segment",
        {"name": name},
    ).fetchall()
    return [Metric(*row) for row in rows]


def shop_totals(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Customers, orders, money and predictions of the whole shop, by name."""
    [row] = con.execute(
        """
        select
            (select count(*) from marts.fct_customers),
            (select count(*) from marts.fct_customers where is_active),
            (select count(*) from marts.fct_orders),
            (select count(*) from marts.fct_orders where is_valid),
            (select coalesce(sum(net_amount), 0) from marts.fct_orders where is_revenue),
            (select any_value(currency_code) from marts.fct_customers),
            (select sum(predicted_clv) from models.customer_clv),
            (select any_value(status) from models.customer_clv),
            (select any_value(status_reason) from models.customer_clv),
            (select count(*) from models.customer_churn where is_active and risk_band = 'high'),
            (select count(*) from quality.quarantined_rows),
            (select count(*) from marts.order_exclusions)
        """
    ).fetchall()
    names = (
        "customers", "active_customers", "orders", "valid_orders", "net_revenue", "currency", "predicted_clv",
        "clv_status", "clv_status_reason", "high_risk_customers", "quarantined_rows", "excluded_orders",
    )  # fmt: skip
    return dict(zip(names, row, strict=True))
