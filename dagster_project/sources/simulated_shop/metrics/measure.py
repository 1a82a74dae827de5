"""What a true metric is: two whole numbers that add up over blocks, and the words that define them.

Belongs here: the shape of a measure, adding up, what `shop.json` says. Does not belong here: the counting
(`purchases.py`, `effects.py`, `voice.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dagster_project.sources.simulated_shop.metrics.definitions import DEFINITIONS

MEASURES = pa.schema(
    [
        ("metric", pa.string()),
        ("segment_type", pa.string()),
        ("segment", pa.string()),
        ("period_type", pa.string()),
        ("period_start", pa.date32()),
        ("numerator", pa.int64()),
        ("denominator", pa.int64()),
    ]
)
"""The truth table `measures`: one row per metric, segment and period of a block; all blocks are to be added up."""


@dataclass(frozen=True)
class Measure:
    """One count of a block.

    Attributes:
        metric: a name in `DEFINITIONS`.
        numerator: money in cents.
        denominator: 0 where there is no base.
        segment_type: what `segment` is one of: `owner` for whose purchases belong together, persons or accounts.
        segment: within the type.
        period_type: lifetime, trailing_window, month or quarter, as the warehouse calls them.
        period_start: first day of the period; None for the lifetime and the trailing window.
    """

    metric: str
    numerator: int
    denominator: int
    segment_type: str = "all"
    segment: str = "all"
    period_type: str = "lifetime"
    period_start: dt.date | None = None


def measure_table(measures: Iterable[Measure]) -> pa.Table:
    """Measures as rows of `MEASURES`."""
    rows = [
        (m.metric, m.segment_type, m.segment, m.period_type, m.period_start, int(m.numerator), int(m.denominator))
        for m in measures
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(MEASURES)
    return pa.table([pa.array(values, kind.type) for values, kind in zip(columns, MEASURES, strict=True)], MEASURES)


def true_metrics(measures: pa.Table) -> list[dict[str, Any]]:
    """The metrics of the shop: sums over blocks, their ratio, and the words.

    Args:
        measures: rows of `MEASURES` of all blocks.

    Returns:
        One mapping per metric, segment and period, sorted; `value` is None without a base.
    """
    by = ["metric", "segment_type", "segment", "period_type", "period_start"]
    sums = measures.group_by(by).aggregate([("numerator", "sum"), ("denominator", "sum")])
    sums = sums.sort_by([(name, "ascending") for name in by])
    return [
        {
            **{name: row[name] for name in by},
            "numerator": row["numerator_sum"],
            "denominator": row["denominator_sum"],
            "value": row["numerator_sum"] / row["denominator_sum"] if row["denominator_sum"] else None,
            "definition": DEFINITIONS[row["metric"]],
        }
        for row in sums.to_pylist()
    ]
