"""The kinds of pictures on the page, each for a handful of aggregated rows.

What belongs here: marks, scales and axes. What does not: colours and fonts (`theme.py`), which rows (`sections/`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dagster_project.reporting.theme import BLUE, GREEN, GREY, HEIGHT, INK, ORANGE, RED, RULE, SKY, WIDTH, render

if TYPE_CHECKING:
    import altair as alt

SERIES_COLORS = (BLUE, ORANGE, GREY, GREEN, RED, SKY)
MANY_COLUMNS = 14
MOST_BAR_NAMES = 22
CHARACTERS_ACROSS = 66  # of labels side by side under a chart
FEW_BARS = 6
MOST_MONTH_NAMES = 8
ROOM_FOR_TEXT = 1.16  # times the longest bar, so that the number at its end is not cut
SHORT_NUMBERS = "format(datum.value, '~s')"
CELL_WIDTHS = (56, 30)
CELL_HEIGHT = 21


def monthly_bars(
    rows: Iterable[dict[str, Any]], series: Sequence[str], y_title: str, name: str, description: str
) -> Markup:
    """Stacked bars, one per month; a month that is not over is pale.

    Args:
        rows: month, kind (one of `series`), amount, is_complete.
        series: kinds, from the bottom of the stack up.
        y_title: of the axis, with its unit.
        name: unique in the page.
        description: for who cannot see it.
    """
    import altair as alt

    rank = {kind: place for place, kind in enumerate(series)}
    points = [
        {
            "month": row["month"].isoformat(),
            "kind": row["kind"],
            "rank": rank[row["kind"]],
            "amount": float(row["amount"]),
            "is_complete": row["is_complete"],
        }
        for row in rows
    ]
    colors = alt.Scale(domain=list(series), range=list(SERIES_COLORS[: len(series)]))
    legend = alt.Legend() if len(series) > 1 else None
    chart = _sized(alt.Chart(_data(points)).mark_bar()).encode(
        x=_month_axis(points),
        y=alt.Y("amount:Q", title=y_title, axis=alt.Axis(labelExpr=SHORT_NUMBERS, tickCount=5), stack="zero"),
        color=alt.Color("kind:N", scale=colors, legend=legend, sort=list(series)),
        order=alt.Order("rank:Q"),
        opacity=alt.condition("datum.is_complete", alt.value(1), alt.value(0.45)),
    )
    return render(chart, name, description)


def monthly_lines(
    rows: Iterable[dict[str, Any]],
    series: Sequence[str],
    y_title: str,
    name: str,
    description: str,
    *,
    y_format: str,
    months_per_point: int = 1,
) -> Markup:
    """Lines with their interval as a band; a month without a number interrupts its line.

    Args:
        rows: month, kind (one of `series`), amount, low, high (each None where there is no number to show).
        series: one line each.
        y_title: of the axis, with its unit.
        name: unique in the page.
        description: for who cannot see it.
        y_format: d3 format of the labels of the y axis.
        months_per_point: 3 for quarters.
    """
    import altair as alt

    points = _with_gaps(rows, series, months_per_point)
    shown = [point for point in points if point["amount"] is not None]
    scale = alt.Scale(domain=list(series), range=list(SERIES_COLORS[: len(series)]))
    legend = alt.Legend(symbolOpacity=1) if len(series) > 1 else None
    color = alt.Color("kind:N", scale=scale, legend=legend, sort=list(series))
    x = _month_axis(shown)
    y = alt.Y(
        "amount:Q", title=y_title, axis=alt.Axis(format=y_format, tickCount=5), scale=alt.Scale(zero=False, nice=True)
    )
    base = alt.Chart(_data(points)).encode(x=x, color=color)
    band = base.mark_area(opacity=0.2, line=False).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q")
    rules = base.mark_rule(opacity=0.35).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q")
    dots = alt.Chart(_data(shown)).mark_circle(size=34, opacity=1).encode(x=x, y=y, color=color)
    return render(_sized(alt.layer(band, rules, base.mark_line().encode(y=y), dots)), name, description)


def bars(
    rows: Iterable[tuple[str, float]],
    x_title: str,
    y_title: str,
    name: str,
    description: str,
    *,
    is_share: bool = False,
) -> Markup:
    """Upright bars in the order given: a distribution."""
    import altair as alt

    points: list[dict[str, Any]] = [{"label": label, "amount": float(amount)} for label, amount in rows]
    labels = "format(datum.value, '.0%')" if is_share else SHORT_NUMBERS
    longest = max((len(point["label"]) for point in points), default=0)
    angle = -45 if len(points) * (longest + 1) > CHARACTERS_ACROSS else 0
    chart = _sized(alt.Chart(_data(points)).mark_bar()).encode(
        x=alt.X(
            "label:N",
            sort=None,
            title=x_title,
            axis=alt.Axis(labelAngle=angle, labelOverlap=False if len(points) <= MOST_BAR_NAMES else "greedy"),
            scale=alt.Scale(paddingInner=0.12 if len(points) > FEW_BARS else 0.4, paddingOuter=0.2),
        ),
        y=alt.Y("amount:Q", title=y_title, axis=alt.Axis(labelExpr=labels, tickCount=5)),
    )
    return render(chart, name, description)


def sideways_bars(rows: Iterable[tuple[str, float, str]], x_title: str, name: str, description: str) -> Markup:
    """Bars from the left in the order given, each with its label and its number written at its end."""
    import altair as alt

    points: list[dict[str, Any]] = [
        {"label": label, "amount": float(amount), "text": text} for label, amount, text in rows
    ]
    amounts = [point["amount"] for point in points]
    y = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=180, labelOverlap=False))
    base = alt.Chart(_data(points)).encode(y=y)
    x = alt.X(
        "amount:Q",
        title=x_title,
        axis=alt.Axis(labelExpr=SHORT_NUMBERS, tickCount=4, grid=True, domain=False),
        scale=alt.Scale(domain=[min(0, *amounts), ROOM_FOR_TEXT * max(1, *amounts)], nice=False),
    )
    texts = base.mark_text(align="left", dx=5).encode(x=x, text="text:N")
    thickness = min(24, 200 // max(1, len(points)))
    return render(_sized(alt.layer(base.mark_bar(size=thickness).encode(x=x), texts)), name, description)


def heat_map(rows: Iterable[dict[str, Any]], x_title: str, name: str, description: str) -> Markup:
    """A grid of shares, darker for more; a cell without a share is an empty outline.

    Args:
        rows: row (a label, rows in the order of their first cell), column (a whole number), share (None where there is
            none), text.
        x_title: of the columns.
        name: unique in the page.
        description: for who cannot see it.
    """
    import altair as alt

    cells = [dict(row) for row in rows]
    shares = [cell["share"] for cell in cells if cell["share"] is not None]
    highest = max(shares, default=0) or 1
    for cell in cells:
        cell["is_dark"] = cell["share"] is not None and cell["share"] > 0.55 * highest
    columns, labels = {cell["column"] for cell in cells}, dict.fromkeys(cell["row"] for cell in cells)
    width = CELL_WIDTHS[0] if len(columns) <= MANY_COLUMNS else CELL_WIDTHS[1]
    base = alt.Chart(_data(cells)).encode(
        x=alt.X("column:O", title=x_title, axis=alt.Axis(labelAngle=0, domain=False, labelOverlap=False)),
        y=alt.Y("row:N", sort=list(labels), title=None, axis=alt.Axis(labelLimit=220, labelOverlap=False)),
    )
    blank = base.transform_filter("datum.share === null").mark_rect(fill=None, stroke=RULE, strokeDash=[2, 2])
    filled = base.transform_filter("datum.share !== null").mark_rect(stroke="white")
    scale = alt.Scale(scheme="blues", domain=[0, highest])
    heat = filled.encode(color=alt.Color("share:Q", scale=scale, legend=None))
    ink = alt.condition("datum.is_dark", alt.value("white"), alt.value(INK))
    texts = base.transform_filter("datum.share !== null").mark_text(fontSize=10).encode(text="text:N", color=ink)
    chart = alt.layer(blank, heat, texts)
    chart = chart.properties(width=width * len(columns), height=CELL_HEIGHT * len(labels))
    return render(chart, name, description)


def _data(points: list[dict[str, Any]]) -> Any:
    """Points that stand in the chart itself."""
    import altair as alt

    return alt.Data(values=points)  # type: ignore[no-untyped-call]


def _sized(chart: Any, height: int = HEIGHT) -> Any:
    """The same outer size for all, labels included, so that the page can scale them alike."""
    import altair as alt

    return chart.properties(
        width=WIDTH, height=height, autosize=alt.AutoSizeParams(type="fit", contains="padding"), padding=4
    )


def _month_axis(points: Sequence[dict[str, Any]]) -> alt.X:
    """Every month between the first and the last, a few of them named."""
    import altair as alt

    found = sorted(point["month"] for point in points)
    months = [month.isoformat() for month in _months(_date(found[0]), _date(found[-1]), 1)] if found else []
    every = next((step for step in (1, 2, 3, 6, 12, 24) if len(months) <= step * MOST_MONTH_NAMES), 60)
    named = [month for month in months if (12 * int(month[:4]) + int(month[5:7]) - 1) % every == 0]
    axis = alt.Axis(
        labelExpr="utcFormat(toDate(datum.value), '%b %Y')", labelAngle=0, labelOverlap=False, values=named, grid=False
    )
    scale = alt.Scale(domain=months, paddingInner=0.1 if len(months) > FEW_BARS else 0.5, paddingOuter=0.3)
    return alt.X("month:O", title=None, axis=axis, scale=scale)


def _months(first: dt.date, last: dt.date, step: int) -> list[dt.date]:
    """The first days of months from the first to the last, every `step` months."""
    start, end = (12 * month.year + month.month - 1 for month in (first, last))
    return [dt.date(ordinal // 12, ordinal % 12 + 1, 1) for ordinal in range(start, end + 1, step)]


def _with_gaps(rows: Iterable[dict[str, Any]], series: Sequence[str], step: int) -> list[dict[str, Any]]:
    """A point for every period between the first and the last of all lines, without a number where a line has none."""
    found = {(row["month"], row["kind"]): row for row in rows}
    months = sorted(month for month, _ in found)
    return [
        {"month": month.isoformat(), "kind": kind}
        | {key: found.get((month, kind), {}).get(key) for key in ("amount", "low", "high")}
        for month in (_months(months[0], months[-1], step) if months else ())
        for kind in series
    ]


def _date(month: str) -> dt.date:
    return dt.date.fromisoformat(month)
