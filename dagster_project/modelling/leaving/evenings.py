"""One evening as a lesson in leaving: who was active, what was known, what the purchase model says, and who left.

Belongs here: the population and the label. Not here: what is learned from them (`trees.py`), the SQL (`features.py`,
`feature_groups.py`).

Active is who ordered within the last two horizons; whoever of them has no valid occasion within the next horizon has
left. Both are decided from what is known on the evening and at the end of its horizon, and from nothing later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.churn import is_active
from dagster_project.modelling.feature_groups import FeatureGroup
from dagster_project.modelling.features import customer_features, customer_outcomes
from dagster_project.modelling.fits import Fits, aligned_outcomes, fit_models, histories_of
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.own_clock import by_own_clock
from dagster_project.modelling.purchase_model import ModelName
from dagster_project.modelling.rhythm import Rhythm
from dagster_project.modelling.scope import EVERYTHING, Scope

OFF_THE_EDGE = 1e-9
"""Probabilities are kept so far off 0 and 1 before odds are taken of them."""


@dataclass(frozen=True)
class Evening:
    """What was known of the active customers of one evening.

    Attributes:
        cutoff: the evening.
        features: rows of `customer_features` with the groups, of active customers.
        log_odds: of no order within the horizon, by the purchase model, shape (n,).
        rhythm: of the customers read on the evening; None where too few gaps have ended.
        has_left: what followed, shape (n,), 0 or 1; None on the night itself.
        is_by_own_clock: whether the purchase model runs by the shop's own clock, or by the calendar.
    """

    cutoff: dt.date
    features: pd.DataFrame
    log_odds: FloatArray
    rhythm: Rhythm | None
    has_left: FloatArray | None = None
    is_by_own_clock: bool = False


def log_odds_of(probability: FloatArray) -> FloatArray:
    """Log odds of probabilities, finite at 0 and 1 too; shape as given."""
    kept = np.clip(probability, OFF_THE_EDGE, 1 - OFF_THE_EDGE)
    return np.asarray(np.log(kept) - np.log1p(-kept), dtype=np.float64)


def base_log_odds(fits: Fits, features: pd.DataFrame, horizon_days: int) -> FloatArray:
    """Log odds of no order within a horizon, exact under the purchase model by the shop's own clock, shape (n,).

    Args:
        fits: of the evening, with a certified purchase model.
        features: rows of `customer_features` on it.
        horizon_days: days ahead.

    Raises:
        ValueError: no purchase model was certified.
    """
    model = fits.predicting(None)
    if model is None:
        raise ValueError(f"no purchase model was certified ({fits.refusals}); leaving needs one to start from")
    one = histories_of(features)
    return log_odds_of(model.probability_no_purchase(one.x, one.t_x, one.age, horizon_days)[one.row_of])


def past_evenings(
    connection: duckdb.DuckDBPyConnection,
    cutoffs: Sequence[dt.date],
    horizon_days: int,
    preferred: ModelName,
    groups: Sequence[FeatureGroup],
    scope: Scope = EVERYTHING,
) -> dict[dt.date, Evening]:
    """The past evenings on which a purchase model was certified, each read once.

    Args:
        connection: a connection that sees the marts.
        cutoffs: days whose horizon has ended by the night.
        horizon_days: of the label, and of being active.
        preferred: the purchase model that comes first.
        groups: what to know besides orders.
        scope: as in `customer_features`.
    """
    if not cutoffs:
        return {}
    is_counted = scope.counts_zero_value_orders
    features = customer_features(connection, cutoffs, scope, groups).df()
    outcomes = customer_outcomes(connection, cutoffs, horizon_days, scope)
    has_left = (aligned_outcomes(features, outcomes)["orders"] == 0).to_numpy(dtype=np.float64)
    evenings: dict[dt.date, Evening] = {}
    for cutoff in cutoffs:
        is_then = (features["cutoff_date"] == pd.Timestamp(cutoff)).to_numpy()
        known = features[is_then].reset_index(drop=True)
        fits = fit_models(known, horizon_days, preferred, stops_at_first=True)
        if fits.base is not None:
            fits = by_own_clock(connection, cutoff, fits, known, counts_zero_value_orders=is_counted)
            evenings[cutoff] = evening_of(cutoff, known, fits, horizon_days, has_left[is_then])
    return evenings


def evening_of(
    cutoff: dt.date, known: pd.DataFrame, fits: Fits, horizon_days: int, has_left: FloatArray | None = None
) -> Evening:
    """The active among the customers known on an evening.

    Args:
        cutoff: the evening.
        known: rows of `customer_features` on it, active or not.
        fits: of the evening.
        horizon_days: of the label, and of being active.
        has_left: of the same rows; None where it is not known yet.
    """
    active = is_active(known, horizon_days)
    features = known[active].reset_index(drop=True)
    return Evening(
        cutoff,
        features,
        base_log_odds(fits, features, horizon_days),
        Rhythm.of(known),
        None if has_left is None else has_left[active],
        bool(fits.in_season),
    )


def known_by(evenings: Mapping[dt.date, Evening], days: Sequence[dt.date]) -> list[Evening]:
    """The evenings of these days that there are, in the order of the days."""
    return [evenings[day] for day in days if day in evenings]
