"""Averages over customers who came in the same month: what customers get when no model may speak.

Belongs here: one rule for pooling small cohorts, and the shares and rates that rest on it.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class CohortMeans:
    """The averages of one evening, a few numbers per month of first order, for customers scored later in batches.

    Attributes:
        orders_per_day: repeat occasions per day observed, by cohort month.
        mean_order_net: mean net per occasion, by cohort month.
        pooled_orders_per_day: of everybody, for cohorts that are small or unknown; NaN without any exposure.
        pooled_mean_order_net: of everybody; NaN without any spend.
    """

    orders_per_day: pd.Series
    mean_order_net: pd.Series
    pooled_orders_per_day: float
    pooled_mean_order_net: float

    @classmethod
    def of(cls, history: pd.DataFrame) -> CohortMeans:
        """The averages of a history.

        Args:
            history: from `purchase_history` or `customer_features` at one cut-off.
        """
        months = pd.Series(history["cohort_month"].unique())
        months = pd.concat([months, pd.Series([pd.NaT])], ignore_index=True)
        cohort, mean_net = history["cohort_month"], history["mean_occasion_net"]
        rates = cohort_ratio(cohort, history["count_repeat_occasions"], history["days_observed"], months)
        means = cohort_ratio(cohort, mean_net, mean_net.notna(), months)
        return cls(
            pd.Series(rates[:-1], index=months[:-1]), pd.Series(means[:-1], index=months[:-1]), rates[-1], means[-1]
        )

    def orders_per_day_of(self, cohort_month: pd.Series) -> FloatArray:
        """The rate of each customer's cohort, shape (n,)."""
        return np.array(cohort_month.map(self.orders_per_day).fillna(self.pooled_orders_per_day), dtype=np.float64)

    def mean_order_net_of(self, cohort_month: pd.Series) -> FloatArray:
        """The mean net per occasion of each customer's cohort, shape (n,)."""
        return np.array(cohort_month.map(self.mean_order_net).fillna(self.pooled_mean_order_net), dtype=np.float64)
