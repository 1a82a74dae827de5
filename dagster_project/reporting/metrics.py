"""Loyalty metrics as the warehouse states them, and how one reads in a sentence.

What belongs here: finding the row of a metric and a period, and wording its number, interval and base. What does not:
computing a metric (the warehouse has), and where it stands on the page (`sections/`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from dagster_project.reporting import formats
from dagster_project.reporting.published import Row

USUAL_MINIMUM_BASE = 30
BASE_NOUNS = {
    "nps": "answer",
    "csat_share": "answer",
    "csat_dissatisfied_share": "answer",
    "average_order_value": "order",
}


@dataclass(frozen=True)
class Period:
    """A period that metrics are told for."""

    kind: str
    start: dt.date
    name: str


@dataclass(frozen=True)
class Metrics:
    """All rows of the metrics of the whole shop, and the bases that were enough or too small.

    Attributes:
        found: rows of `queries.METRICS`.
        bases: the row of `queries.BASES`.
        as_of: the business day that they describe.
        currency: of money; None before the first order.
    """

    found: Sequence[Row]
    bases: Row
    as_of: dt.date
    currency: str | None

    def at(self, metric: str, period: Period) -> Row | None:
        """The row of a metric in a period; None where it had no base."""
        matches = [row for row in self.series(metric, period.kind) if row["period_start"] == period.start]
        return matches[0] if matches else None

    def over(self, metric: str, period_type: str) -> Row | None:
        """The only row of a metric over the lifetime or the trailing window; None where it had no base."""
        rows = self.series(metric, period_type)
        return rows[-1] if rows else None

    def series(self, metric: str, period_type: str) -> list[Row]:
        """The rows of a metric in order of time."""
        return [row for row in self.found if row["metric"] == metric and row["period_type"] == period_type]

    def last_month(self) -> Period:
        """The last month that is over."""
        tomorrow = self.as_of + dt.timedelta(days=1)
        start = previous_month(tomorrow.replace(day=1))
        return Period("month", start, formats.month(start))

    def last_quarter(self) -> Period:
        """The last quarter that is over."""
        tomorrow = self.as_of + dt.timedelta(days=1)
        start = tomorrow.replace(month=(tomorrow.month - 1) // 3 * 3 + 1, day=1)
        for _ in range(3):
            start = previous_month(start)
        return Period("quarter", start, formats.quarter(start))

    def minimum_base(self) -> int:
        """The smallest base that a number is shown for, as far as the bases that were judged tell."""
        refused, shown = self.bases["largest_refused"], self.bases["smallest_shown"]
        low = 1 if refused is None else int(refused) + 1
        high = max(low, USUAL_MINIMUM_BASE) if shown is None else int(shown)
        return min(max(USUAL_MINIMUM_BASE, low), high)

    def amount(self, row: Row) -> str:
        """The number of a row in its unit."""
        return self.in_unit(row["metric_value"], row["unit"])

    def in_unit(self, amount: float | None, unit: str) -> str:
        """A number in the unit of a metric."""
        if unit == "share":
            return formats.share(amount)
        if unit.startswith("money"):
            return formats.money(amount, self.currency)
        if unit == "points":
            return points(amount)
        return formats.number(amount, 3)

    def interval(self, row: Row) -> str:
        """The 95 % interval of a row, in words."""
        if formats.is_absent(row["ci_low"]) or formats.is_absent(row["ci_high"]):
            return f"no 95{formats.NBSP}% interval can be given"
        low, high = self.in_unit(row["ci_low"], row["unit"]), self.in_unit(row["ci_high"], row["unit"])
        return f"95{formats.NBSP}% interval {low} to {high}"

    def comparison(self, later: Row, earlier: Row | None, earlier_name: str) -> str:
        """Whether a number differs from an earlier one by more than chance, as far as their intervals tell."""
        if earlier is None or not (earlier["has_minimum_base"] and later["has_minimum_base"]):
            return ""
        bounds = [row[bound] for row in (later, earlier) for bound in ("ci_low", "ci_high")]
        if any(formats.is_absent(bound) for bound in bounds):
            return ""
        before = f"{earlier_name} ({self.amount(earlier)})"
        if later["ci_low"] > earlier["ci_high"]:
            return f" That is higher than in {before} by more than chance explains."
        if later["ci_high"] < earlier["ci_low"]:
            return f" That is lower than in {before} by more than chance explains."
        return f" The interval overlaps that of {before}, so the difference may be chance."


def base(row: Row) -> str:
    """How many a number rests on."""
    return f"n = {formats.plural(row['denominator'], BASE_NOUNS.get(row['metric'], 'customer'))}"


def points(amount: float | None) -> str:
    """A net score with its sign."""
    text = formats.number(amount, 1)
    return f"+{text}" if amount is not None and amount > 0 else text


def previous_month(month: dt.date) -> dt.date:
    """The first day of the month before."""
    return (month - dt.timedelta(days=1)).replace(day=1)
