"""Whether loyal customers are forecast better: groups of equal volume of both kinds, and their errors.

Belongs here: the drawing of groups, their sums beside those of the tenths, and the comparison. Who was loyal on an
evening: `modelling/loyal.py`.

What many customers do together is foreseen better than what few do, so a fair comparison has groups of which the same
is expected. On each evening and for each horizon, the kind of customers of whom more is expected is thinned, by a hash
of their key, to what is expected of the other; both are then cut into ten groups that each carry a tenth of it. Error
is that of groups, as a share of what came (WAPE). Orders and net have groups of their own.

Its interval is from leaving out one stretch of time after the other (block jackknife; Künsch 1989, Annals of Statistics
17): month ends whose horizons overlap share their luck, so a stretch is as long as the horizon.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from scipy.stats import t as student

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.ledger.followed import GRADED
from dagster_project.modelling.ledger.predictions import NAIVE, OF_CUSTOMER

LOYAL_FORECAST_ERRORS = {
    "as_of_date": "date not null",
    "prediction": "varchar not null",
    "horizon_days": "integer not null",
    "count_evenings": "bigint not null",
    "count_stretches": "bigint not null",
    "loyal_error": "double",
    "other_error": "double",
    "error_difference": "double",
    "ci_low": "double",
    "ci_high": "double",
    "verdict": "varchar not null",
    "verdict_reason": "varchar",
}
OF_LOYAL, OF_OTHER = "loyal_customers", "other_customers"
COUNT_GROUPS = 10
MINIMUM_CUSTOMERS = 100
"""Of each kind on an evening; ten in a group."""
MINIMUM_STRETCHES = 3
DAYS_OF_MONTH = 365.25 / 12
LEVEL = 0.95


def _graded(what: str) -> str:
    """Customers with what each speaker said of them."""
    speakers = [(f"{what}_model", f"{what}_predicted", "false")]
    speakers += [(f"'{name}'", f"{what}_{name}", "true") for name in NAIVE]
    said = ", ".join(
        f"{{'model': {one}, 'predicted': {amount}, 'is_baseline': {is_naive}}}" for one, amount, is_naive in speakers
    )
    return f"""
    select
        predicted_date, horizon_days, customer_key, '{what}' as prediction, {what}_predicted as volume,
        {what} as outcome, case when is_loyal then '{OF_LOYAL}' else '{OF_OTHER}' end as kind, [{said}] as speakers
    from known
    where part = '{OF_CUSTOMER}' and is_scored"""


_SUMS = f"""
insert into ledger_sums by name
{GRADED}
graded as (
    {_graded("orders")}
    union all {_graded("net")}
),
-- Grain: one prediction and horizon with enough customers of both kinds; what is expected of each of the two
volumes as (
    select horizon_days, prediction, min(volume) as volume_of_each
    from (
        select horizon_days, prediction, kind, sum(volume::decimal(38, 9))::double as volume
        from graded
        group by horizon_days, prediction, kind
        having count(*) >= {MINIMUM_CUSTOMERS}
    )
    group by horizon_days, prediction
    having count(*) = 2 and min(volume) > 0
),
-- a customer is where the middle of what is expected of them is
placed as (
    select
        *,
        (sum(volume::decimal(38, 9)) over (
            partition by horizon_days, prediction, kind order by md5(customer_key), customer_key
            rows unbounded preceding
        ))::double - volume / 2 as volume_up_to
    from graded
),
drawn as (
    select
        placed.* exclude (speakers), unnest(placed.speakers, recursive := true),
        1 + floor({COUNT_GROUPS} * placed.volume_up_to / volumes.volume_of_each)::bigint as place
    from placed
    inner join volumes using (horizon_days, prediction)
    where placed.volume_up_to < volumes.volume_of_each
),
-- Grain: one group and speaker
grouped as (
    select
        predicted_date, horizon_days, kind as part, prediction, model, is_baseline, place as tenth, 1 as count_rows,
        sum(predicted::decimal(38, 9)) as predicted,
        sum(outcome::decimal(38, 9)) as outcome
    from drawn
    group by all
    having count(predicted) = count(*)
)
select
    *,
    abs(outcome - predicted) as absolute_error,
    ((outcome - predicted)::double ** 2)::decimal(38, 6) as squared_error,
    0 as count_with_interval,
    0 as count_covered,
    0 as doubled_ranks
from grouped
"""
_ERRORS = f"""
select
    prediction,
    horizon_days,
    predicted_date,
    sum(absolute_error) filter (where part = '{OF_LOYAL}')::double as loyal_error,
    sum(outcome) filter (where part = '{OF_LOYAL}')::double as loyal_outcome,
    sum(absolute_error) filter (where part = '{OF_OTHER}')::double as other_error,
    sum(outcome) filter (where part = '{OF_OTHER}')::double as other_outcome
from ledger_sums
where part in ('{OF_LOYAL}', '{OF_OTHER}') and not is_baseline
group by prediction, horizon_days, predicted_date
order by prediction, horizon_days, predicted_date
"""


def add_groups(connection: duckdb.DuckDBPyConnection, evening: dt.date) -> None:
    """Add the groups of an evening to the sums that scores are made of.

    Args:
        connection: has `ledger_sums`, predictions and outcomes.
        evening: the cut-off.
    """
    connection.execute(_SUMS, {"predicted_date": evening})


def loyal_forecast_errors(connection: duckdb.DuckDBPyConnection, as_of: dt.date) -> pd.DataFrame:
    """The errors of both kinds and their difference, `LOYAL_FORECAST_ERRORS`.

    Args:
        connection: after `ledger_scores`.
        as_of: the night.
    """
    rows: list[Mapping[str, Any]] = []
    for _, errors in connection.execute(_ERRORS).df().groupby(["prediction", "horizon_days"]):
        prediction, days = str(errors["prediction"].iloc[0]), int(errors["horizon_days"].iloc[0])
        rows.append({"prediction": prediction, "horizon_days": days, **_compared(errors, days)})
    frame = pd.DataFrame(rows, columns=[name for name in LOYAL_FORECAST_ERRORS if name != "as_of_date"])
    return frame.assign(as_of_date=pd.Timestamp(as_of))


def _compared(errors: pd.DataFrame, horizon_days: int) -> Mapping[str, Any]:
    amounts = errors[["loyal_error", "loyal_outcome", "other_error", "other_outcome"]].to_numpy(dtype=np.float64)
    stretches = stretches_of(errors["predicted_date"], horizon_days)
    count = int(np.unique(stretches).size)
    said: dict[str, Any] = {"count_evenings": len(errors), "count_stretches": count, "verdict": "cannot_say"}
    total = amounts.sum(axis=0)
    if min(total[1], total[3]) <= 0:
        return said | {"verdict_reason": "nothing came of one of the two"}
    loyal, other = total[0] / total[1], total[2] / total[3]
    difference = loyal - other
    said |= {"loyal_error": loyal, "other_error": other, "error_difference": difference}
    half_width = _half_width(amounts, stretches)
    if half_width is None:
        return said | {
            "verdict_reason": f"fewer than {MINIMUM_STRETCHES} stretches of {horizon_days} days with orders have ended"
        }
    low, high = difference - half_width, difference + half_width
    said |= {"ci_low": low, "ci_high": high}
    if low <= 0 <= high:
        return said | {"verdict_reason": "the interval of the difference holds nought"}
    return said | {"verdict": "holds" if high < 0 else "does_not_hold"}


def stretches_of(evenings: pd.Series, horizon_days: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Number of the stretch of time that each month end is in; shape (n,).

    Args:
        evenings: month ends, earliest first, shape (n,).
        horizon_days: a stretch has as many month ends as lie in it, at least one; counted back from the latest.
    """
    months = evenings.dt.year.to_numpy(dtype=np.int64) * 12 + evenings.dt.month.to_numpy(dtype=np.int64)
    size = max(1, round(horizon_days / DAYS_OF_MONTH))
    return np.asarray((months[-1] - months) // size, dtype=np.int64)


def _half_width(amounts: FloatArray, stretches: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float | None:
    """Half the interval of the difference; None where there are too few stretches, or one holds all that came."""
    names = np.unique(stretches)
    if names.size < MINIMUM_STRETCHES:
        return None
    without = np.stack([amounts[stretches != name].sum(axis=0) for name in names])
    if without[:, [1, 3]].min() <= 0:
        return None
    found = without[:, 0] / without[:, 1] - without[:, 2] / without[:, 3]
    error = np.sqrt((names.size - 1) / names.size * ((found - found.mean()) ** 2).sum())
    return float(student.ppf((1 + LEVEL) / 2, names.size - 1) * error)
