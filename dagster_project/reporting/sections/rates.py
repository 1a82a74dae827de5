"""A rate over time as a picture: its line, its interval, what is too small to draw, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagster_project.reporting import charts, formats
from dagster_project.reporting.metrics import Metrics, base
from dagster_project.reporting.page import Figure, Table
from dagster_project.reporting.published import Row

TABLE_PERIODS = 24


def rate_figures(
    rows: Mapping[str, Sequence[Row]],
    metrics: Metrics,
    *,
    title: str,
    y_title: str,
    y_format: str,
    name: str,
    noun: str = "month",
) -> list[Figure]:
    """One figure; none where no period has the minimum base.

    Args:
        rows: the rows of a metric for each line; the table shows the first line's.
        metrics: how they read.
        title: of the figure.
        y_title: of the axis, with its unit.
        y_format: d3 format of its labels.
        name: unique in the page.
        noun: `month` or `quarter`.
    """
    points = [_point(row, kind) for kind, of_kind in rows.items() for row in of_kind]
    if all(point["amount"] is None for point in points):
        return []
    first = next(iter(rows.values()))
    svg = charts.monthly_lines(
        points,
        tuple(rows),
        y_title,
        name,
        f"{title}, with 95 % intervals",
        y_format=y_format,
        months_per_point=3 if noun == "quarter" else 1,
    )
    return [Figure(title, svg, _note(first, metrics, noun), _table(first, metrics, noun))]


def _point(row: Row, kind: str) -> Row:
    """A metric row as a point of a chart; without numbers where its base is too small."""
    is_shown = row["has_minimum_base"]
    columns = {"amount": "metric_value", "low": "ci_low", "high": "ci_high"}
    return {"month": row["period_start"], "kind": kind} | {
        key: None if not is_shown or formats.is_absent(row[column]) else row[column] for key, column in columns.items()
    }


def _note(rows: Sequence[Row], metrics: Metrics, noun: str) -> str:
    """How many periods are not drawn, and why."""
    hidden = sum(not row["has_minimum_base"] for row in rows)
    band = f"The band is the 95{formats.NBSP}% interval."
    if not hidden:
        return band
    return f"{band} {formats.plural(hidden, noun)} with a base below {metrics.minimum_base()} not drawn."


def _table(rows: Sequence[Row], metrics: Metrics, noun: str) -> Table:
    """The latest periods of a metric, as numbers."""
    name = formats.month if noun == "month" else formats.quarter
    body = [
        (
            name(row["period_start"]),
            metrics.amount(row) if row["has_minimum_base"] else "not shown",
            metrics.interval(row).removeprefix(f"95{formats.NBSP}% interval ")
            if row["has_minimum_base"]
            else formats.ABSENT,
            base(row),
        )
        for row in rows[-TABLE_PERIODS:]
    ]
    return Table(
        f"The last {formats.plural(len(body), noun)}",
        (noun.capitalize(), "# Value", f"# 95{formats.NBSP}% interval", "# Base"),
        body,
        True,
    )
