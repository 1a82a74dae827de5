"""When the next order was expected on an evening, as the ledger keeps it.

Belongs here: who dates the next order of followed customers, and what naive rules say. The rules themselves:
`next_purchase/next_order.py`.

As published, the date is of those who order within a year, so it is graded when the year has ended, and of customers
who ordered in it; grading whoever came early first would make every rule look late. It is kept of customers who had
come back before, for naive rules need a gap. The purchase model speaks, as in all of the ledger; the customers' own
rhythm, which may replace it on a night, is graded beside it.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from dagster_project.modelling.fits import Fits
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.next_purchase.next_order import HORIZON_DAYS, NextOrders, whole_days
from dagster_project.modelling.rhythm import Rhythm, days_since_last_order

DAYS_TO_NEXT_ORDER = "days_to_next_order"
ENDS = ("low", "predicted", "high")
"""In the order of `next_order.SHARES`."""
CHALLENGER, NAIVE_WITH_INTERVAL, NAIVE_BY_GAP = "own_rhythm", "everybodys_rhythm", ("own_mean_gap", "last_gap")
WAIT_COLUMNS = {
    f"{DAYS_TO_NEXT_ORDER}_{name}": "double"
    for name in (*ENDS, *(f"{rule}_{end}" for rule in (CHALLENGER, NAIVE_WITH_INTERVAL) for end in ENDS), *NAIVE_BY_GAP)
}
"""Whole days from 1 to the horizon; null where nobody dates the customer."""


def add_waits(
    rows: pd.DataFrame,
    fits: Fits,
    features: pd.DataFrame,
    evening: dt.date,
    asked: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> None:
    """Add `WAIT_COLUMNS` to the predictions of customers over the horizon of the next order.

    Args:
        rows: one per customer, in the order of the features; changed in place.
        fits: of the evening, with a certified purchase model.
        features: rows of `customer_features` on it.
        evening: the cut-off.
        asked: whose waits are kept, shape (n,); of them those who have come back before.
    """
    dated = asked & (features["count_repeat_occasions"] > 0).to_numpy()
    customers = features[dated].reset_index(drop=True)
    base = fits.base or ""
    rules = NextOrders(evening, "fitted", None, fits.purchase[base], Rhythm.of(features)).rules()
    for rule, prefix in ((base, ""), (CHALLENGER, f"{CHALLENGER}_"), (NAIVE_WITH_INTERVAL, f"{NAIVE_WITH_INTERVAL}_")):
        days = rules[rule](customers) if rule in rules else np.full((len(customers), len(ENDS)), np.nan)
        for place, end in enumerate(ENDS):
            _fill(rows, f"{prefix}{end}", days[:, place], dated)
    gaps = customers["days_first_to_last_order"] / customers["count_repeat_occasions"], customers["last_gap_days"]
    for name, gap in zip(NAIVE_BY_GAP, gaps, strict=True):
        _fill(rows, name, gap.to_numpy(dtype=np.float64) - days_since_last_order(customers), dated)


def _fill(rows: pd.DataFrame, name: str, days: FloatArray, dated: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    column = np.full(len(rows), np.nan)
    column[dated] = whole_days(days)
    rows[f"{DAYS_TO_NEXT_ORDER}_{name}"] = column


def has_waits(horizon_days: int) -> bool:
    """Whether predictions over a horizon hold waits: the next order is dated within one horizon only."""
    return horizon_days == HORIZON_DAYS
