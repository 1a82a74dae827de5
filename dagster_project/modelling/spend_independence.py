"""Do customers who buy often spend as much per purchase as the others?

Belongs here: the test of what the Gamma-Gamma model takes for granted, its result in numbers. The model: `spend.py`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from dagster_project.modelling.histories import FloatArray, checked_customers

NOTABLE_CORRELATION = 0.3
"""From here on values of frequent and rare buyers are biased enough to warn: the limit that the field's notes use."""


@dataclass(frozen=True)
class SpendIndependence:
    """How purchases per customer and mean spend go together; None where either does not vary.

    Attributes:
        count_customers: customers with spend.
        correlation: Pearson's, of counts and means, the one that the literature reports.
        correlation_low: lower end of its 95 % interval, by Fisher's transformation.
        correlation_high: upper end.
        rank_correlation: Spearman's, which no single large customer decides.
        rank_p_value: probability of a rank correlation this far from 0 if the two were independent.
        is_notable: whether either is beyond 0.3, up or down.
    """

    count_customers: int
    correlation: float | None = None
    correlation_low: float | None = None
    correlation_high: float | None = None
    rank_correlation: float | None = None
    rank_p_value: float | None = None
    is_notable: bool = False

    def to_dict(self) -> dict[str, float | int | bool | None]:
        """The test as a JSON-able dictionary."""
        return asdict(self)


def spend_independence(
    count: npt.ArrayLike, mean: npt.ArrayLike, count_customers: npt.ArrayLike | None = None
) -> SpendIndependence:
    """The correlation of purchases per customer with their mean spend, and its test.

    Args:
        count: purchases behind each mean, shape (n,); customers with 0 are left out.
        mean: mean spend of those purchases, shape (n,), in money.
        count_customers: customers that share each pair, shape (n,), above 0; one each where absent.

    Raises:
        ValueError: the columns differ in length.
    """
    counts, means = (np.ravel(np.asarray(column, dtype=np.float64)) for column in (count, mean))
    if counts.size != means.size:
        raise ValueError(f"there are {counts.size} counts and {means.size} means; expected as many")
    given = checked_customers(count_customers, counts.size)
    has_spend = counts > 0
    customers = given[has_spend] if given.size else np.ones(int(has_spend.sum()))
    counts, means = counts[has_spend], means[has_spend]
    number = round(float(customers.sum()))
    if number < 4 or np.ptp(counts) == 0 or np.ptp(means) == 0:
        return SpendIndependence(number)
    correlation = _correlation(counts, means, customers)
    rank_correlation = _correlation(_ranks(counts, customers), _ranks(means, customers), customers)
    width = float(norm.ppf(0.975)) / np.sqrt(number - 3)
    low, high = np.tanh(np.arctanh(min(max(correlation, -1 + 1e-15), 1 - 1e-15)) + np.array([-width, width]))
    distance = abs(rank_correlation) * np.sqrt((number - 2) / max(1 - rank_correlation**2, 1e-300))
    return SpendIndependence(
        number,
        correlation,
        float(low),
        float(high),
        rank_correlation,
        float(2 * t.sf(distance, number - 2)),
        max(abs(correlation), abs(rank_correlation)) > NOTABLE_CORRELATION,
    )


def _correlation(first: FloatArray, second: FloatArray, weight: FloatArray) -> float:
    """Pearson's correlation of weighted pairs."""
    first, second = first - np.average(first, weights=weight), second - np.average(second, weights=weight)
    squares = (weight @ first**2) * (weight @ second**2)
    return float((weight * first) @ second / np.sqrt(squares))


def _ranks(column: FloatArray, weight: FloatArray) -> FloatArray:
    """The rank of each entry among all customers; ties share their mean rank."""
    _, level = np.unique(column, return_inverse=True)
    of_level = np.bincount(level, weight)
    return np.asarray((np.cumsum(of_level) - (of_level - 1) / 2)[level])
