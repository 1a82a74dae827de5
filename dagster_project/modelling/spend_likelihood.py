"""The Gamma-Gamma likelihood of customers' mean spend, with its derivatives.

Belongs here: the check of counts and means, their reduction to what the likelihood reads, and the likelihood (Fader and
Hardie 2013, "The Gamma-Gamma model of monetary value", equation 1a). The model: `spend.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, psi, zeta

from dagster_project.modelling.histories import FloatArray, checked_customers
from dagster_project.modelling.maximum_likelihood import Derivatives, by_log_params


@dataclass(frozen=True)
class SpendStatistics:
    """What the likelihood reads: its special functions depend on the count of purchases alone.

    Attributes:
        count: distinct counts of purchases, from 1, shape (levels,).
        row_count: position in count of each row, shape (rows,).
        total: count times mean of each row, above 0, shape (rows,).
        customers: customers of each row, shape (rows,).
    """

    count: FloatArray
    row_count: npt.NDArray[np.intp]
    total: FloatArray
    customers: FloatArray

    @classmethod
    def of(cls, count: npt.ArrayLike, mean: npt.ArrayLike, count_customers: npt.ArrayLike | None) -> Self:
        """Customers with spend as rows over a table of counts.

        Args:
            count: purchases behind each mean, any shape, whole numbers from 0; customers with 0 are left out.
            mean: mean spend, same shape, above 0.
            count_customers: customers that share each pair; one each where absent.

        Raises:
            ValueError: a count or a mean is impossible.
        """
        counts, means = (column.ravel() for column in checked_spend(count, mean))
        customers = checked_customers(count_customers, counts.size)
        has_spend = counts > 0
        levels, row_count = np.unique(counts[has_spend], return_inverse=True)
        kept = customers[has_spend] if customers.size else np.ones(row_count.size)
        return cls(levels, row_count, counts[has_spend] * means[has_spend], kept)

    def sample(self, count_rows: int) -> SpendStatistics | None:
        """Every so many-th row; None where there are too few.

        Args:
            count_rows: rows wanted; the sample has up to twice as many.
        """
        stride = self.customers.size // count_rows
        if stride < 2:
            return None
        return replace(
            self,
            row_count=self.row_count[::stride],
            total=self.total[::stride],
            customers=self.customers[::stride],
        )

    def mean_derivatives(self, log_params: FloatArray) -> Derivatives:
        """`derivatives` per customer.

        Args:
            log_params: log p, log q, log gamma, shape (3,).
        """
        level, slope, bend = self.derivatives(log_params)
        number = self.customers.sum()
        return level / number, slope / number, bend / number

    def derivatives(self, log_params: FloatArray) -> Derivatives:
        """Log-likelihood of mean spends (equation 1a of the 2013 note), its derivatives by the log parameters.

        Args:
            log_params: log p, log q, log gamma, shape (3,).
        """
        p, q, gamma = params = np.exp(log_params)
        c, inverse = self.count, 1 / (gamma + self.total)
        n, log_total, spread, inverses, squares = (
            np.bincount(self.row_count, self.customers * term, c.size)
            for term in (np.ones_like(inverse), np.log(self.total), -np.log(inverse), inverse, inverse**2)
        )
        shape, number = p * c, n.sum()
        log_mean = log_total.sum() - n @ np.log(c)
        level = n @ (gammaln(shape + q) - gammaln(shape)) + number * (q * np.log(gamma) - gammaln(q)) - log_mean
        level += shape @ log_total - (shape + q) @ spread
        both, own = zeta(2, shape + q), zeta(2, shape)
        slope = np.array(
            [
                (n * c) @ (psi(shape + q) - psi(shape)) + c @ (log_total - spread),
                n @ psi(shape + q) + number * (np.log(gamma) - psi(q)) - spread.sum(),
                number * q / gamma - (shape + q) @ inverses,
            ]
        )
        by_pq, by_pg, by_qg = (n * c) @ both, -(c @ inverses), number / gamma - inverses.sum()
        bend = np.array(
            [
                [(n * c**2) @ (both - own), by_pq, by_pg],
                [by_pq, n @ both - number * zeta(2, q), by_qg],
                [by_pg, by_qg, (shape + q) @ squares - number * q / gamma**2],
            ]
        )
        return by_log_params(params, float(level), slope, bend)


def checked_spend(count: npt.ArrayLike, mean: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Counts and means as floats, the mean 0 where the count is.

    Args:
        count: purchases behind each mean, any shape, whole numbers from 0.
        mean: mean spend, same shape, above 0 where the count is.

    Raises:
        ValueError: a pair is impossible; the message names the first.
    """
    counts, means = np.asarray(count, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    if counts.shape != means.shape:
        raise ValueError(f"counts have shape {counts.shape} and means {means.shape}; expected one shape")
    is_count = np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts))
    holds = is_count & ((counts == 0) | (np.isfinite(means) & (means > 0)))
    if not holds.all():
        first = int(np.argmin(holds))
        raise ValueError(
            f"customer {first} has count={counts.flat[first]:g}, mean={means.flat[first]:g}; expected a whole count "
            "from 0 with a mean above 0: leave purchases without spend out of both"
        )
    return counts, np.where(counts == 0, 0.0, means)
