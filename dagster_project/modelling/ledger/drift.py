"""What has changed: do customers, and what is said of them, still look as they did, and do probabilities still hold?

Belongs here: the population stability index of inputs and of predictions, the calibration slope, and when either rings.
How good predictions were: `scores.py`.

The index compares the shares of customers in the tenths of a month end three months earlier (PSI, sum of (p - q)
log(p / q); Siddiqi 2006, chapter 8, whose limit of 0.25 for a great change is kept). The slope is of the logistic
regression of what came on the log odds of what was said (Cox 1958): 1 where probabilities are right, below where they
are too sure. It rings outside 0.8 to 1.25 when that is more than chance would do.

All models are fitted anew each night, so nothing is left to refit when it rings: it says that the past which they are
fitted on is no guide, and that their forecasts need a person's eye.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.ledger.evenings import CALIBRATION_DAYS
from dagster_project.modelling.ledger.predictions import OF_CUSTOMER

MODEL_DRIFT = {
    "as_of_date": "date not null",
    "predicted_date": "date not null",
    "compared_date": "date",
    "measure": "varchar not null",
    "subject": "varchar not null",
    "count_customers": "bigint not null",
    "drift": "double",
    "standard_error": "double",
    "is_alarming": "boolean not null",
}
SUBJECTS = {"days_since_last_order": "input", "orders_predicted": "prediction", "no_order_predicted": "prediction"}
EVENINGS_BACK = 3
COUNT_BINS = 10
GREAT_PSI = 0.25
SLOPES = (0.8, 1.25)
MINIMUM_CUSTOMERS = 100
"""On each side; PSI of two samples of 100 from the same shop is 0.18 by chance."""
_NEWTON_STEPS = 50

_SEEN = f"""
select {", ".join(SUBJECTS)}
from ledger_predictions
where predicted_date = $evening and horizon_days = {CALIBRATION_DAYS} and part = '{OF_CUSTOMER}' and is_active
"""
_TENTHS = f"""
select predicted_date, sum(count_rows)::double as count_rows, sum(predicted)::double as predicted,
    sum(outcome)::double as outcome
from ledger_sums
where prediction = 'no_order' and horizon_days = {CALIBRATION_DAYS} and not is_baseline
group by predicted_date, tenth
order by predicted_date, tenth
"""


def model_drift(connection: duckdb.DuckDBPyConnection, evenings: Sequence[dt.date], as_of: dt.date) -> pd.DataFrame:
    """Index and slope of every evening, `MODEL_DRIFT`.

    Args:
        connection: after `ledger_scores`.
        evenings: those added, earliest first.
        as_of: the night.
    """
    seen = {day: connection.execute(_SEEN, {"evening": day}).fetchnumpy() for day in evenings}
    rows: list[Mapping[str, Any]] = []
    for place, day in enumerate(evenings[EVENINGS_BACK:]):
        before = evenings[place]
        for subject, kind in SUBJECTS.items():
            then, now = (np.sort(np.asarray(seen[one][subject], dtype=np.float64)) for one in (before, day))
            index = stability_index(then, now)
            rows.append(
                {"predicted_date": day, "compared_date": before, "measure": f"psi_of_{kind}", "subject": subject}
                | {"count_customers": now.size, "drift": index, "is_alarming": index is not None and index > GREAT_PSI}
            )
    for evening, tenths in connection.execute(_TENTHS).df().groupby("predicted_date"):
        found = calibration_slope(*(tenths[name].to_numpy() for name in ("predicted", "outcome", "count_rows")))
        slope, error = found or (None, None)
        is_off = slope is not None and error is not None and not SLOPES[0] <= slope <= SLOPES[1]
        rows.append(
            {"predicted_date": evening, "measure": "calibration_slope", "subject": "no_order"}
            | {"count_customers": int(tenths["count_rows"].sum()), "drift": slope, "standard_error": error}
            | {"is_alarming": bool(is_off and abs((slope or 1) - 1) > 2 * (error or 0))}
        )
    frame = pd.DataFrame(rows, columns=[name for name in MODEL_DRIFT if name != "as_of_date"])
    dates = {name: pd.to_datetime(frame[name]) for name in ("predicted_date", "compared_date")}
    frame = frame.assign(as_of_date=pd.Timestamp(as_of), **dates)
    return frame.sort_values(["predicted_date", "measure", "subject"], ignore_index=True)


def stability_index(then: FloatArray, now: FloatArray) -> float | None:
    """PSI of a quantity; None where either side has fewer than 100 customers.

    Args:
        then: reference, sorted, shape (n,).
        now: sorted, shape (m,).
    """
    if min(then.size, now.size) < MINIMUM_CUSTOMERS:
        return None
    edges = np.unique(np.quantile(then, np.arange(1, COUNT_BINS) / COUNT_BINS))
    shares = []
    for values in (then, now):
        up_to = np.searchsorted(values, edges, side="right")
        counts = np.diff(np.concatenate(([0], up_to, [values.size])))
        shares.append(np.maximum(counts, 0.5) / values.size)
    return float((shares[1] - shares[0]) @ np.log(shares[1] / shares[0]))


def calibration_slope(predicted: FloatArray, happened: FloatArray, count: FloatArray) -> tuple[float, float] | None:
    """Slope of what happened on the log odds of what was said, and its standard error; None where undetermined.

    Args:
        predicted: sum of probabilities of each group of customers, shape (k,).
        happened: events in it, shape (k,).
        count: customers in it, above 0, shape (k,).
    """
    share = np.clip(predicted / count, 1e-6, 1 - 1e-6)
    odds = np.log(share / (1 - share))
    if count.sum() < MINIMUM_CUSTOMERS or np.ptp(odds) < 1e-9 or not 0 < happened.sum() < count.sum():
        return None
    design, params = np.stack([np.ones(odds.size), odds], axis=1), np.array([0.0, 1.0])
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-design @ params))
        information = design.T @ (design * (count * chance * (1 - chance))[:, None])
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (happened - count * chance))
        params = params + step
        if np.abs(step).max() < 1e-10:
            return float(params[1]), float(np.sqrt(np.linalg.inv(information)[1, 1]))
    return None
