"""Season and level of what existing customers spend per occasion.

Belongs here: the factor of mean net per occasion. Of orders: `orders.py`; what one customer is expected to spend:
`modelling/spend.py`.

Read from mean log ratios, each occasion beside what its customer was expected to spend: one order of a wholesaler moves
a mean of logs no more than a double order does, and where all prices rise by a tenth every log rises alike. The mean
over the whole history is taken out: the spend model has learnt it.
"""

from __future__ import annotations

import numpy as np

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.level.activity import SpendActivity
from dagster_project.modelling.level.foreseen import MINIMUM_HISTORY_DAYS, MINIMUM_REPEATS, Foreseen
from dagster_project.modelling.level.variation import Moments, told_apart

SPEND_PARTS = ("season", "level", "shock")


def fit_spend_level(activity: SpendActivity) -> Foreseen:
    """Season and level of the mean net per occasion as of the end of the history.

    Args:
        activity: from `spend_activity`.

    Returns:
        Factors to multiply expected net by, on top of those of orders; gated, all 1, where the shop is younger than a
        year or has fewer than 100 repeat occasions with spend.
    """
    total = float(activity.count.sum())
    if activity.history_days < MINIMUM_HISTORY_DAYS:
        days = f"the shop has {activity.history_days} days of history"
        return Foreseen.gated(f"{days}; a season of spend needs {MINIMUM_HISTORY_DAYS}")
    if total < MINIMUM_REPEATS:
        return Foreseen.gated(f"{total:.0f} repeat occasions had spend; a level of spend needs {MINIMUM_REPEATS}")
    middle = activity.period_days / 2 - activity.days_before
    nowhere = np.zeros(middle.size)
    usual = float(activity.count @ activity.mean_log_ratio) / total
    within = float(activity.count @ activity.var_log_ratio) / total
    noise: FloatArray = np.maximum(within, np.finfo(np.float64).eps) / activity.count
    moments = Moments(np.asarray(middle, dtype=np.float64), nowhere, nowhere)
    return Foreseen.of(told_apart(moments, activity.mean_log_ratio - usual, noise, SPEND_PARTS))
