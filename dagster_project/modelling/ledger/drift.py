"""What has changed: do customers, and what is said of them, still look as they did, and do probabilities still hold?

Belongs here: the distances of inputs and of predictions from earlier ones, and when they ring. Whether probabilities
still hold: `calibration.py`; how good predictions were: `scores.py`.

Customers of a month end are compared with those of three months earlier in two ways: the population stability index of
the tenths (PSI, sum of (p - q) log(p / q); Siddiqi 2006, chapter 8, whose limit of 0.25 for a great change is kept),
and the largest distance of the two distribution functions (Kolmogorov-Smirnov), which needs no tenths and sees a shift
that falls between their edges. A normal quantity that moves by half its deviation has the one at 0.25, the other at
0.2. Where the ledger knows the same month end of the year before, a season is no alarm: it rings only if customers
look unlike those, too. Where it does not, a season cannot be told from a change, and twice as far is great.

All models are fitted anew each night, so nothing is left to refit when it rings: it says that the past which they are
fitted on is no guide, and that their forecasts need a person's eye.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.ledger.calibration import MINIMUM_CUSTOMERS, calibrations
from dagster_project.modelling.ledger.evenings import CALIBRATION_DAYS
from dagster_project.modelling.ledger.predictions import INPUTS, OF_CUSTOMER

MODEL_DRIFT = {
    "as_of_date": "date not null",
    "predicted_date": "date not null",
    "compared_date": "date",
    "horizon_days": "integer not null",
    "measure": "varchar not null",
    "subject": "varchar not null",
    "count_customers": "bigint not null",
    "drift": "double",
    "drift_since_last_year": "double",
    "standard_error": "double",
    "usual": "double",
    "usual_spread": "double",
    "is_alarming": "boolean not null",
}
SUBJECTS = {
    **dict.fromkeys(INPUTS, "input"),
    **dict.fromkeys(("orders_predicted", "no_order_predicted", "net_predicted"), "prediction"),
}
EVENINGS_BACK = 3
COUNT_BINS = 10
GREAT_PSI, GREAT_PSI_OF_ANY_SEASON = 0.25, 1.0
GREAT_KS, GREAT_KS_OF_ANY_SEASON = 0.2, 0.38
"""What a normal quantity makes that moves by half its deviation, and by a whole one."""
KS_OF_CHANCE = 2.0
"""In units of sqrt(1/n + 1/m), of which two independent samples exceed 1.63 once in a hundred times (Smirnov 1948).
What is predicted rests on fits that differ, too: on eleven shops that stay as they are, of 300 to 1,400 customers, 1.63
was exceeded by 23 of 561 distances and 2.0 by 2; the limits, which are no less than great changes, by none."""
_SEEN = f"""
select {", ".join(SUBJECTS)}
from ledger_predictions
where predicted_date = $evening and horizon_days = {CALIBRATION_DAYS} and part = '{OF_CUSTOMER}' and is_active
"""


def model_drift(connection: duckdb.DuckDBPyConnection, evenings: Sequence[dt.date], as_of: dt.date) -> pd.DataFrame:
    """Distances, slope and level of every evening, `MODEL_DRIFT`.

    Args:
        connection: after `ledger_scores`.
        evenings: those added, earliest first.
        as_of: the night.
    """
    rows = [*_moves(connection, evenings), *calibrations(connection)]
    frame = pd.DataFrame(rows, columns=[name for name in MODEL_DRIFT if name != "as_of_date"])
    dates = {name: pd.to_datetime(frame[name]) for name in ("predicted_date", "compared_date")}
    frame = frame.assign(as_of_date=pd.Timestamp(as_of), **dates)
    return frame.sort_values(["predicted_date", "measure", "subject", "horizon_days"], ignore_index=True)


def _moves(connection: duckdb.DuckDBPyConnection, evenings: Sequence[dt.date]) -> Iterator[Mapping[str, Any]]:
    """How far customers and predictions of each evening are from three evenings before, and from a year before."""
    seen = {day: _seen(connection, day) for day in evenings}
    for place, day in enumerate(evenings[EVENINGS_BACK:]):
        before = evenings[place]
        last_year = next((one for one in evenings if (one.year + 1, one.month) == (day.year, day.month)), None)
        for subject, kind in SUBJECTS.items():
            now, earlier = seen[day][subject], [seen[one][subject] for one in (before, last_year) if one]
            for name, (distance, limit) in DISTANCES.items():
                moved = [distance(then, now) for then in earlier]
                yield {
                    "predicted_date": day,
                    "compared_date": before,
                    "horizon_days": CALIBRATION_DAYS,
                    "measure": f"{name}_of_{kind}",
                    "subject": subject,
                    "count_customers": now.size,
                    "drift": moved[0],
                    "drift_since_last_year": moved[1] if last_year else None,
                    "is_alarming": all(
                        apart is not None and apart > limit(then, now, last_year is not None)
                        for apart, then in zip(moved, earlier, strict=True)
                    ),
                }


def _seen(connection: duckdb.DuckDBPyConnection, evening: dt.date) -> dict[str, FloatArray]:
    """What was known and predicted of the active customers of an evening: each subject sorted, without the unknown."""
    found = connection.execute(_SEEN, {"evening": evening}).df()
    return {subject: np.sort(found[subject].dropna().to_numpy(dtype=np.float64)) for subject in SUBJECTS}


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


def most_stability_index(then: FloatArray, now: FloatArray, is_season_known: bool = True) -> float:
    """The PSI that is no alarm: a great one, and what chance adds to it in such samples (Yurdakul and Naranjo 2020)."""
    freedom = COUNT_BINS - 1
    great = GREAT_PSI if is_season_known else GREAT_PSI_OF_ANY_SEASON
    return great + (1 / then.size + 1 / now.size) * (freedom + 3 * float(np.sqrt(2 * freedom)))


def largest_distance(then: FloatArray, now: FloatArray) -> float | None:
    """Kolmogorov-Smirnov distance of two samples; None where either has fewer than 100 customers.

    Args:
        then: reference, sorted, shape (n,).
        now: sorted, shape (m,).
    """
    if min(then.size, now.size) < MINIMUM_CUSTOMERS:
        return None
    steps = np.concatenate((then, now))
    up_to = [np.searchsorted(values, steps, side="right") / values.size for values in (then, now)]
    return float(np.abs(up_to[0] - up_to[1]).max())


def most_distance(then: FloatArray, now: FloatArray, is_season_known: bool = True) -> float:
    """The distance that is no alarm: a great one, or what chance makes in such samples."""
    great = GREAT_KS if is_season_known else GREAT_KS_OF_ANY_SEASON
    return max(great, KS_OF_CHANCE * float(np.sqrt(1 / then.size + 1 / now.size)))


DISTANCES = {"psi": (stability_index, most_stability_index), "ks": (largest_distance, most_distance)}
"""By the word that begins a measure: how far two samples are apart, and how far is no alarm."""
