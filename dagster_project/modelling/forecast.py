"""What the shop is expected to order and to take in: the customers so far, those still to come, and both.

Belongs here: the sum of the two. The customers so far come from the value engine's draws (`shop_totals.py`), the others
from `newcomers.py`; how well this was told before is in the ledger.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.intervals.totals import central_interval
from dagster_project.modelling.newcomers import Newcomers

LEVELS = (0.80, 0.95)
COUNT_DRAWS = 4_000
SEED = 13
REVENUE_FORECAST = {
    "as_of_date": "date not null",
    "measure": "varchar not null",
    "horizon_days": "integer not null",
    "part": "varchar not null",
    "expected": "double not null",
    **{f"{end}_{level * 100:.0f}": "double" for level in LEVELS for end in ("low", "high")},
    "status": "varchar not null",
    "status_reason": "varchar",
    "model": "varchar not null",
}


def revenue_forecast(totals: pd.DataFrame, newcomers: Newcomers | None, as_of: dt.date) -> pd.DataFrame:
    """Orders and net expected within each horizon, `REVENUE_FORECAST`.

    Args:
        totals: rows of `models.value_totals` of the night.
        newcomers: of the night, known up to the longest horizon; none before the first order.
        as_of: the night.

    Returns:
        One row per measure, horizon and part: `existing_customers` as in `totals`, `new_customers`, `all_customers`,
        the sum. The interval of the sum is from draws of both; those of the existing customers are log-normal between
        the ends of their 80 %. Without a fitted model only the new customers have an interval.
    """
    if newcomers is None:
        return pd.DataFrame(columns=list(REVENUE_FORECAST))
    rows: list[dict[str, Any]] = []
    for row in totals.sort_values(["measure", "horizon_days"]).to_dict("records"):
        days, place = int(row["horizon_days"]), ("orders", "net").index(row["measure"])
        coming = newcomers.draws(days, np.random.default_rng(SEED), COUNT_DRAWS)[place]
        existing = _draws(row, np.random.default_rng([SEED, days, place]))
        expected = float(newcomers.expected(days)[1 + place])
        named = {"as_of_date": pd.Timestamp(as_of), "measure": row["measure"], "horizon_days": days}
        reason = row["status_reason"] if row["status"] != "fitted" else None
        of_level = newcomers.foreseen.reason
        ends = {
            f"{end}_{level * 100:.0f}": row[f"{end}_{level * 100:.0f}"] for level in LEVELS for end in ("low", "high")
        }
        rows += [
            named
            | {"part": "existing_customers", "expected": row["expected"], **ends}
            | {"status": row["status"], "status_reason": reason, "model": row["model"]},
            named
            | {"part": "new_customers", "expected": expected, **_ends(coming)}
            | {
                "status": "level_only" if of_level else "fitted",
                "status_reason": of_level,
                "model": "level_trend_season",
            },
            named
            | {"part": "all_customers", "expected": row["expected"] + expected}
            | _ends(None if existing is None else existing + coming)
            | {"status": row["status"], "status_reason": reason, "model": f"{row['model']} and level_trend_season"},
        ]
    return pd.DataFrame(rows)


def _draws(row: Mapping[Hashable, Any], rng: np.random.Generator) -> FloatArray | None:
    """Draws of the existing customers' total; None where it has no interval."""
    low, high = row["low_80"], row["high_80"]
    if pd.isna(low) or not 0 < low <= high:
        return None
    spread = np.log(high / low) / (2 * float(ndtri(0.9)))
    return np.asarray(np.sqrt(low * high) * np.exp(spread * rng.standard_normal(COUNT_DRAWS)), dtype=np.float64)


def _ends(draws: FloatArray | None) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for level in LEVELS:
        low, high = (None, None) if draws is None else central_interval(draws, level)
        found |= {f"low_{level * 100:.0f}": low, f"high_{level * 100:.0f}": high}
    return found
