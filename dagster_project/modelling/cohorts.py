"""Averages over customers who came in the same month: what customers get when no model may speak.

Belongs here: one rule for pooling small cohorts, and the shares and rates that rest on it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray

MINIMUM_COHORT_CUSTOMERS = 30
"""Cohorts with fewer are pooled with everybody: the display limit of rates, so no average rests on less."""


def cohort_ratio(cohort: pd.Series, numerator: pd.Series, denominator: pd.Series, wanted: pd.Series) -> FloatArray:
    """Sum of the numerator over sum of the denominator, by cohort, for each wanted cohort.

    Args:
        cohort: cohort of each customer, shape (n,).
        numerator: shape (n,); missing counts as 0.
        denominator: shape (n,), at least 0; missing counts as 0.
        wanted: cohort of each customer who wants the ratio, shape (m,); may hold cohorts that are not in `cohort`.

    Returns:
        Ratios, shape (m,): the cohort's own; everybody's for a cohort that is unknown, has fewer than 30 customers,
        or has no denominator; NaN where everybody has none either.
    """
    sums = pd.DataFrame(
        {
            "numerator": numerator.to_numpy(dtype=np.float64, na_value=np.nan),
            "denominator": denominator.to_numpy(dtype=np.float64, na_value=np.nan),
            "count_customers": 1,
        }
    )
    by_cohort = sums.groupby(cohort.to_numpy(), sort=True).sum()
    has_own = (by_cohort["count_customers"] >= MINIMUM_COHORT_CUSTOMERS) & (by_cohort["denominator"] > 0)
    own = (by_cohort["numerator"] / by_cohort["denominator"])[has_own]
    total = float(sums["denominator"].sum())
    pooled = float(sums["numerator"].sum()) / total if total > 0 else np.nan
    return np.array(wanted.map(own).fillna(pooled), dtype=np.float64)


def orders_per_day(history: pd.DataFrame) -> FloatArray:
    """Repeat occasions per day observed in each customer's cohort; shape (n,), at least 0, NaN without any exposure.

    Args:
        history: from `purchase_history`.
    """
    cohort = history["cohort_month"]
    return cohort_ratio(cohort, history["count_repeat_occasions"], history["days_observed"], cohort)


def mean_order_net(history: pd.DataFrame) -> FloatArray:
    """Mean over the customers of each customer's cohort of their mean net per occasion; shape (n,), NaN without any.

    Args:
        history: from `purchase_history`.
    """
    cohort, mean_net = history["cohort_month"], history["mean_occasion_net"]
    return cohort_ratio(cohort, mean_net, mean_net.notna(), cohort)
