"""What has changed: do customers, and what is said of them, still look as they did, and do probabilities still hold?

Belongs here: the distances of inputs and of predictions from earlier ones, slope and level of probabilities, and when
either rings. How good predictions were: `scores.py`.

Customers of a month end are compared with those of three months earlier in two ways: the population stability index of
the tenths (PSI, sum of (p - q) log(p / q); Siddiqi 2006, chapter 8, whose limit of 0.25 for a great change is kept),
and the largest distance of the two distribution functions (Kolmogorov-Smirnov), which needs no tenths and sees a shift
that falls between their edges. A normal quantity that moves by half its deviation has the one at 0.25, the other at
0.2. Where the ledger knows the same month end of the year before, a season is no alarm: it rings only if customers
look unlike those, too.

Slope and level are of the logistic regression of what came on the log odds of what was said (Cox 1958). The slope is 1
where probabilities are right, below where they are too sure; it rings outside 0.8 to 1.25. The level, with the slope
held at 1, is 0 where as many stayed away as was said, above where more did; it rings beyond 0.2 either way, five points
in a hundred at even chances. Both ring only when that is more than chance would do, and are of all horizons up to 90
days: the shortest rings first.

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
from dagster_project.modelling.ledger.evenings import CALIBRATION_DAYS
from dagster_project.modelling.ledger.predictions import OF_CUSTOMER

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
    "is_alarming": "boolean not null",
}
SUBJECTS = {"days_since_last_order": "input", "orders_predicted": "prediction", "no_order_predicted": "prediction"}
EVENINGS_BACK = 3
COUNT_BINS = 10
GREAT_PSI = 0.25
GREAT_KS = 0.2
KS_OF_CHANCE = 2.0
"""In units of sqrt(1/n + 1/m), of which two independent samples exceed 1.63 once in a hundred times (Smirnov 1948).
What is predicted rests on fits that differ, too: on eleven shops that stay as they are, of 300 to 1,400 customers, 1.63
was exceeded by 23 of 561 distances and 2.0 by 2; the limits, which are no less than great changes, by none."""
LIMITS = {"calibration_slope": (0.8, 1.25, 2.0), "calibration_level": (-0.2, 0.2, 3.0)}
"""Lowest and highest that are quiet, and how many standard errors off its ideal a measure is by more than chance. With
two a level would ring by chance on one month end in twenty, two horizons each, on a shop too small to tell."""
_IDEAL = {"calibration_slope": 1.0, "calibration_level": 0.0}
MINIMUM_CUSTOMERS = 100
"""On each side."""
_NEWTON_STEPS = 50

_SEEN = f"""
select {", ".join(SUBJECTS)}
from ledger_predictions
where predicted_date = $evening and horizon_days = {CALIBRATION_DAYS} and part = '{OF_CUSTOMER}' and is_active
"""
_TENTHS = f"""
select horizon_days, predicted_date, sum(count_rows)::double as count_rows, sum(predicted)::double as predicted,
    sum(outcome)::double as outcome
from ledger_sums
where prediction = 'no_order' and horizon_days <= {CALIBRATION_DAYS} and not is_baseline
group by horizon_days, predicted_date, tenth
order by horizon_days, predicted_date, tenth
"""


def model_drift(connection: duckdb.DuckDBPyConnection, evenings: Sequence[dt.date], as_of: dt.date) -> pd.DataFrame:
    """Distances, slope and level of every evening, `MODEL_DRIFT`.

    Args:
        connection: after `ledger_scores`.
        evenings: those added, earliest first.
        as_of: the night.
    """
    rows = [*_moves(connection, evenings), *_calibrations(connection)]
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
                        apart is not None and apart > limit(then, now)
                        for apart, then in zip(moved, earlier, strict=True)
                    ),
                }


def _seen(connection: duckdb.DuckDBPyConnection, evening: dt.date) -> dict[str, FloatArray]:
    """What was known and predicted of the active customers of an evening: each subject sorted."""
    found = connection.execute(_SEEN, {"evening": evening}).fetchnumpy()
    return {subject: np.sort(np.asarray(found[subject], dtype=np.float64)) for subject in SUBJECTS}


def _calibrations(connection: duckdb.DuckDBPyConnection) -> Iterator[Mapping[str, Any]]:
    """Slope and level of the probabilities of each evening and horizon that has ended."""
    for key, tenths in connection.execute(_TENTHS).df().groupby(["horizon_days", "predicted_date"]):
        horizon_days, evening = key
        sums = [tenths[name].to_numpy() for name in ("predicted", "outcome", "count_rows")]
        for measure, found in (("calibration_slope", calibration_slope(*sums)), ("calibration_level", level_of(*sums))):
            drift, error = found or (None, None)
            yield {
                "predicted_date": evening,
                "horizon_days": horizon_days,
                "measure": measure,
                "subject": "no_order",
                "count_customers": int(tenths["count_rows"].sum()),
                "drift": drift,
                "standard_error": error,
                "is_alarming": found is not None and is_off(measure, *found),
            }


def is_off(measure: str, drift: float, error: float) -> bool:
    """Whether a measure of calibration is beyond its limits, and by more than chance.

    Args:
        measure: key of `LIMITS`.
        drift: what was found.
        error: its standard error.
    """
    lowest, highest, count_errors = LIMITS[measure]
    return not lowest <= drift <= highest and abs(drift - _IDEAL[measure]) > count_errors * error


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


def most_stability_index(then: FloatArray, now: FloatArray) -> float:
    """The PSI that is no alarm: a great one, and what chance adds to it in such samples (Yurdakul and Naranjo 2020)."""
    freedom = COUNT_BINS - 1
    return GREAT_PSI + (1 / then.size + 1 / now.size) * (freedom + 3 * float(np.sqrt(2 * freedom)))


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


def most_distance(then: FloatArray, now: FloatArray) -> float:
    """The distance that is no alarm: a great one, or what chance makes in such samples."""
    return max(GREAT_KS, KS_OF_CHANCE * float(np.sqrt(1 / then.size + 1 / now.size)))


DISTANCES = {"psi": (stability_index, most_stability_index), "ks": (largest_distance, most_distance)}
"""By the word that begins a measure: how far two samples are apart, and how far is no alarm."""


def calibration_slope(predicted: FloatArray, happened: FloatArray, count: FloatArray) -> tuple[float, float] | None:
    """Slope of what happened on the log odds of what was said, and its standard error; None where undetermined.

    Args:
        predicted: sum of probabilities of each group of customers, shape (k,).
        happened: events in it, shape (k,).
        count: customers in it, above 0, shape (k,).
    """
    odds = _log_odds(predicted, count)
    if not _is_determined(happened, count) or np.ptp(odds) < 1e-9:
        return None
    found = _newton(np.stack([np.ones(odds.size), odds], axis=1), np.zeros(odds.size), happened, count, [0.0, 1.0])
    return None if found is None else (float(found[0][1]), float(np.sqrt(found[1][1, 1])))


def level_of(predicted: FloatArray, happened: FloatArray, count: FloatArray) -> tuple[float, float] | None:
    """How much higher the log odds of what happened were than those said, and the standard error; None as above.

    Args:
        predicted: as of `calibration_slope`.
        happened: as there.
        count: as there.
    """
    if not _is_determined(happened, count):
        return None
    found = _newton(np.ones((count.size, 1)), _log_odds(predicted, count), happened, count, [0.0])
    return None if found is None else (float(found[0][0]), float(np.sqrt(found[1][0, 0])))


def _log_odds(predicted: FloatArray, count: FloatArray) -> FloatArray:
    share = np.clip(predicted / count, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(share / (1 - share)), dtype=np.float64)


def _is_determined(happened: FloatArray, count: FloatArray) -> bool:
    return bool(count.sum() >= MINIMUM_CUSTOMERS and 0 < happened.sum() < count.sum())


def _newton(
    design: FloatArray, offset: FloatArray, happened: FloatArray, count: FloatArray, start: Sequence[float]
) -> tuple[FloatArray, FloatArray] | None:
    """Coefficients of a logistic regression of grouped events, and their covariance; None where it finds none."""
    params = np.array(start)
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-(offset + design @ params)))
        information = design.T @ (design * (count * chance * (1 - chance))[:, None])
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (happened - count * chance))
        params = params + step
        if np.abs(step).max() < 1e-10:
            return params, np.linalg.inv(information)
    return None
