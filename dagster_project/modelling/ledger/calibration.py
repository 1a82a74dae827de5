"""Do probabilities still hold? Their slope and level on each evening, and when either is no longer what is usual.

Belongs here: the two measures, what is usual, and what is beyond it. Distances of customers and predictions from
earlier ones: `drift.py`.

Slope and level are of the logistic regression of what came on the log odds of what was said (Cox 1958). The slope is 1
where probabilities are right, below where they are too sure; the level, with the slope held at 1, is 0 where as many
stayed away as was said, above where more did. Both are of all horizons up to 90 days: the shortest rings first.

A measure rings where it is far from its ideal and a surprise. Far is a slope outside 0.8 to 1.25 and a level beyond 0.2
either way, five points in a hundred at even chances. A surprise is what lies further from the usual than chance and
what is known to vary allow. How far a shop's level may be off the forecast says itself, with its season and level
(`orders_level_error`): a level within that is no news. Of a slope the forecast says nothing, so it is compared with the
slopes of earlier evenings whose horizon had ended: their mean, and how they vary beyond chance (DerSimonian and Laird
1986, "Meta-analysis in clinical trials"). A shop whose probabilities were ever too timid does not ring for it each
month; its record says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.ledger.evenings import CALIBRATION_DAYS
from dagster_project.modelling.ledger.predictions import OF_SHOP

MINIMUM_CUSTOMERS = 100
"""Of an evening, and on each side of a distance."""
MINIMUM_EARLIER = 3
"""Slopes that a usual one is told from; with fewer it is the ideal."""
LIMITS = {"calibration_slope": (0.8, 1.25, 2.0), "calibration_level": (-0.2, 0.2, 3.0)}
"""Lowest and highest that are quiet, and how many standard errors off the usual is a surprise. With two a level would
ring by chance on one month end in twenty, two horizons each, on a shop too small to tell."""
_IDEAL = {"calibration_slope": 1.0, "calibration_level": 0.0}
_NEWTON_STEPS = 50
_TENTHS = f"""
select horizon_days, predicted_date, sum(count_rows)::double as count_rows, sum(predicted)::double as predicted,
    sum(outcome)::double as outcome
from ledger_sums
where prediction = 'no_order' and horizon_days <= {CALIBRATION_DAYS} and not is_baseline
group by horizon_days, predicted_date, tenth
order by horizon_days, predicted_date, tenth
"""
_CLAIMED = f"""
select horizon_days, predicted_date, orders_level_error
from ledger_predictions
where part = '{OF_SHOP}'
"""


class Usual(NamedTuple):
    """What a measure of an evening is compared with.

    Attributes:
        centre: what is usual.
        spread: standard deviation around it that is no surprise, chance within the evening left out.
    """

    centre: float
    spread: float


class Measured(NamedTuple):
    """A measure of an evening with its standard error from chance."""

    evening: dt.date
    drift: float
    error: float


def calibrations(connection: duckdb.DuckDBPyConnection) -> Iterator[Mapping[str, Any]]:
    """Slope and level of the probabilities of each evening and horizon that has ended, rows of `MODEL_DRIFT`.

    Args:
        connection: after `ledger_scores`.
    """
    claimed = {(days, evening): error for days, evening, error in connection.execute(_CLAIMED).fetchall()}
    slopes: dict[int, list[Measured]] = {}
    for _, tenths in connection.execute(_TENTHS).df().groupby(["horizon_days", "predicted_date"]):
        days, evening = int(tenths["horizon_days"].iloc[0]), tenths["predicted_date"].iloc[0].date()
        sums = [tenths[name].to_numpy() for name in ("predicted", "outcome", "count_rows")]
        slope, level = calibration_slope(*sums), level_of(*sums)
        earlier = slopes.setdefault(days, [])
        ended = [one for one in earlier if one.evening + dt.timedelta(days=days) <= evening]
        spread = level_spread(sums[0], sums[2], claimed.get((days, evening)) or 0.0)
        found = {
            "calibration_slope": (slope, usual_slope(ended)),
            "calibration_level": (level, Usual(_IDEAL["calibration_level"], spread)),
        }
        if slope is not None:
            earlier.append(Measured(evening, *slope))
        for measure, (measured, usual) in found.items():
            drift, error = measured or (None, None)
            yield {
                "predicted_date": pd.Timestamp(evening),
                "horizon_days": days,
                "measure": measure,
                "subject": "no_order",
                "count_customers": int(tenths["count_rows"].sum()),
                "drift": drift,
                "standard_error": error,
                "usual": usual.centre,
                "usual_spread": usual.spread,
                "is_alarming": measured is not None and is_off(measure, *measured, usual),
            }


def is_off(measure: str, drift: float, error: float, usual: Usual) -> bool:
    """Whether a measure of calibration is beyond its limits, and a surprise.

    Args:
        measure: key of `LIMITS`.
        drift: what was found.
        error: its standard error.
        usual: what it is compared with.
    """
    lowest, highest, count_errors = LIMITS[measure]
    is_far = not lowest <= drift <= highest
    return is_far and abs(drift - usual.centre) > count_errors * float(np.hypot(error, usual.spread))


def usual_slope(earlier: Sequence[Measured]) -> Usual:
    """Mean of earlier slopes and how the next may vary around it beyond chance; the ideal where they are too few.

    Args:
        earlier: slopes of evenings whose horizon had ended.
    """
    if len(earlier) < MINIMUM_EARLIER:
        return Usual(_IDEAL["calibration_slope"], 0.0)
    drifts, errors = (np.array([getattr(one, name) for one in earlier]) for name in ("drift", "error"))
    between = max(float(drifts.var(ddof=1) - (errors**2).mean()), 0.0)
    of_mean = (between + float((errors**2).mean())) / len(earlier)
    return Usual(float(drifts.mean()), float(np.sqrt(between + of_mean)))


def level_spread(predicted: FloatArray, count: FloatArray, orders_error: float) -> float:
    """The standard error of a level in log odds that an error of the log of the shop's orders makes.

    Of who orders with a mean of m, the log odds of no order fall by m / (1 - exp(-m)) where the log of m rises by one
    (Poisson); the level is the mean of that over groups, weighed by what they tell of it.

    Args:
        predicted: sum of probabilities of each group of customers, shape (k,).
        count: customers in it, above 0, shape (k,).
        orders_error: standard error of the log of the shop's orders.
    """
    share = np.clip(predicted / count, 1e-6, 1 - 1e-6)
    slope = -np.log(share) / (1 - share)
    return float(orders_error * np.average(slope, weights=count * share * (1 - share)))


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
