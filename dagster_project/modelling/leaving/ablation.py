"""What each kind of feed adds to knowing who leaves: trees with it, beside trees without it, on the same evenings.

Belongs here: the comparison and its error. Not here: the trees (`candidates.py`), which candidate is believed
(`selection.py`).

A group is measured by what it adds to orders alone, and all groups by what they add together. The loss is log-loss in
nats a customer, the trees as they stand, and the error is that of the champion rule (`selection.py`): chance among
customers, and between evenings. A gain within 1.96 errors of 0 is called nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import expit

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.leaving.candidates import Groups, Record
from dagster_project.modelling.leaving.evenings import Evening, known_by
from dagster_project.modelling.loss_terms import log_loss_terms
from dagster_project.modelling.selection import mean_change

ALL_GROUPS = "all"
COUNT_ERRORS = 1.96
COLUMNS = {
    "feature_group": "str",
    "horizon_days": "int64",
    "count_evenings": "int64",
    "count_customers": "int64",
    "log_loss_without": "float64",
    "log_loss_with": "float64",
    "log_loss_gain": "float64",
    "standard_error": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "verdict": "str",
}


def ablation(record: Record) -> pd.DataFrame:
    """One row per group of features, and one for all together.

    Args:
        record: of the night.

    Returns:
        feature_group (`all` for all together), horizon_days, count_evenings and count_customers (compared; a customer
        counts once an evening), log_loss_without, log_loss_with, log_loss_gain (the one less the other, means of the
        evenings), standard_error, ci_low and ci_high (95 %), verdict (`adds`, `nothing`, `harms`, or `not_measured`
        where on no evening anything could be learned).
    """
    sets: dict[str, Groups] = {group.name: (group,) for group in record.groups}
    if len(sets) > 1:
        sets[ALL_GROUPS] = record.groups
    return pd.DataFrame([_row(record, *one) for one in sets.items()], columns=list(COLUMNS)).astype(COLUMNS)


def _row(record: Record, name: str, groups: Groups) -> dict[str, object]:
    losses = list(_losses(record, groups))
    described = {
        "feature_group": name,
        "horizon_days": record.plan.horizon_days,
        "count_evenings": len(losses),
        "count_customers": sum(without.size for without, _ in losses),
    }
    if not losses:
        return described | {"verdict": "not_measured"}
    gain, error = mean_change([without - with_group for without, with_group in losses])
    low, high = gain - COUNT_ERRORS * error, gain + COUNT_ERRORS * error
    return described | {
        "log_loss_without": float(np.mean([without.mean() for without, _ in losses])),
        "log_loss_with": float(np.mean([with_group.mean() for _, with_group in losses])),
        "log_loss_gain": gain,
        "standard_error": error,
        "ci_low": low,
        "ci_high": high,
        "verdict": "adds" if low > 0 else "harms" if high < 0 else "nothing",
    }


def _losses(record: Record, groups: Groups) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Log-loss of each customer without and with the groups, for each evening on which both could be learned."""
    for evening in known_by(record.evenings, record.plan.origins):
        without, with_groups = _loss(record, evening, ()), _loss(record, evening, groups)
        if without is not None and with_groups is not None and without.size:
            yield without, with_groups


def _loss(record: Record, evening: Evening, groups: Groups) -> FloatArray | None:
    trees = record.trees(evening.cutoff, groups)
    if trees is None or evening.has_left is None:
        return None
    log_odds = evening.log_odds + trees.log_odds(evening.features, evening.rhythm)
    return log_loss_terms(evening.has_left, np.asarray(expit(log_odds), dtype=np.float64))
