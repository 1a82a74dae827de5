"""When customers order next and of what kind: how many soon, how many are overdue, how well that was told before."""

from __future__ import annotations

from dagster_project.reporting import formats, model_queries
from dagster_project.reporting.metrics import Metrics
from dagster_project.reporting.page import Section, Table
from dagster_project.reporting.published import Published, Row

SHARES = ("coverage_80", "hit_rate_1", "hit_rate_3", "hit_rate_5")
TITLES = {
    "median_error_days": "Days off",
    "pinball_days": "Quantile loss, days",
    "coverage_80": "80 % intervals held",
    "hit_rate_1": "Hit by the first",
    "hit_rate_3": "By the first three",
    "hit_rate_5": "By the first five",
}
RECORD_NOTE = (
    "The record is of month ends whose year is over, and of customers who had come back before and ordered again in "
    "that year; each rule is off by as many days as its middle date missed the order by, on the mean."
)
NO_RECORD_NOTE = "No date said on a past month end has come due yet: dates are graded when the year after it is over."
SUBJECTS = {"next_order": "Date of the next order", "next_kind": "Kinds in the next basket"}


def next_purchase(shop: Published, metrics: Metrics) -> Section:
    """The next purchase, in numbers of customers, and the record of the rules that tell it."""
    title = "When and what customers buy next"
    counts, scores = shop.row(model_queries.NEXT_ORDERS), shop.rows(model_queries.NEXT_PURCHASE_SCORES)
    record = shop.rows(model_queries.NEXT_ORDER_RECORD)
    tables, graded = [*_record(record), *_tables(scores)], RECORD_NOTE if record else NO_RECORD_NOTE
    if not counts["count_dated"]:
        lead = "The history is too short to date anybody's next order."
        return Section("next", title, lead, tables=tables, notes=(graded,))
    lead = (
        f"{formats.plural(counts['count_soon'], 'customer')} of {formats.count(counts['count_customers'])} will more "
        "likely than not order within a year, and are expected within 30 days; "
        f"{formats.count(counts['count_overdue'])} have waited longer than nine in ten of the gaps that they, or "
        "customers like them, had before."
    )
    note = (
        "Dates are of those who order within a year; whether they do is told apart, as a probability. Each rule is "
        "tried on a past evening, on customers who ordered again; the first row speaks tonight."
    )
    return Section("next", title, lead, tables=tables, notes=(note, graded))


def _record(rows: list[Row]) -> list[Table]:
    """What became of the dates that were said on past month ends, naive rules last."""
    body = [
        (
            formats.words(row["model"]) + (" (rule of thumb)" if row["is_baseline"] else ""),
            formats.count(row["count_evenings"]),
            formats.count(row["count_customers"]),
            formats.number(row["days_off"], 1),
            formats.share(row["coverage_80"]),
        )
        for row in rows
    ]
    columns = ("Rule", "# Month ends", "# Orders", "# Days off", "# 80 % intervals held")
    return [Table("Dates of next orders said on past month ends", columns, body)] if body else []


def _tables(rows: list[Row]) -> list[Table]:
    return [_table(name, of) for name in SUBJECTS if (of := [row for row in rows if row["prediction"] == name])]


def _table(name: str, rows: list[Row]) -> Table:
    """Rules as rows, the champion first."""
    shown = [score for score in TITLES if any(row["score"] == score for row in rows)]
    cells = {(row["model"], row["score"]): row["score_value"] for row in rows}
    body = [
        (formats.words(model), *(_cell(score, cells.get((model, score))) for score in shown))
        for model in dict.fromkeys(row["model"] for row in rows)
    ]
    first = rows[0]
    caption = (
        f"{SUBJECTS[name]}: {formats.plural(first['count_customers'], 'customer')}, {first['horizon_days']} days from "
        f"{formats.day(first['cutoff_date'])} on"
    )
    return Table(caption, ("Rule", *(f"# {TITLES[score]}" for score in shown)), body)


def _cell(score: str, amount: float | None) -> str:
    return formats.share(amount) if score in SHARES else formats.number(amount, 1)
