"""Parts of a shop's variation in time, told apart by how far each part reaches.

Belongs here: the parts and their prior sizes, and their separation given noisy log ratios. Where the ratios come from:
`cells.py` for orders, `spend.py` for spend.

The log ratio of what happened over what was expected is a sum of Gaussian processes: a season that returns every year,
a level that drifts and is forgotten, the ages and cohorts that the expectation was wrong about, shocks that hit a whole
period, and noise. How large each part is in this shop is decided by the marginal likelihood (Rasmussen and Williams
2006, equations 5.8 and 5.9) under a prior, so with little evidence nothing is large. Ages and cohorts are nuisance: a
shop's first months hold new customers and, where its records begin in mid-life, old ones in disguise; without these
parts such a start would return as a season.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from dagster_project.modelling.histories import FloatArray

DAYS_PER_YEAR = 365.25
SEASON_REACH = 0.7
"""Correlation .77 with the season a month away and .37 two months away: a Christmas fits, a single week does not."""
LEVEL_REACH_DAYS = 180.0
"""A level that is off today is e times less off in half a year; further drift is the purchase model's to learn. On the
rolling origins of Online Retail (91 days) the log of the total missed by .27, .26 and .26 for a reach of 90, 180 and
365 days, by .30 without a level and by .31 uncorrected."""
AGE_SHIFT_DAYS, AGE_REACH = 7.0, 1.0
"""Ages resemble each other by their ratio: one month and three, one year and three."""
COHORT_REACH_DAYS = 182.0
_LOG_DIGITS, _SIZE_DIGITS = 9, 6  # decimals that are kept: far more than any of it is known to
PRIOR_SPREAD = 0.7
"""Of the log of each size: a part may be half or double its usual size (one standard deviation) without evidence."""
SIZE_BOUNDS = (-6.0, 0.7)
"""Of the log size: .0025, which is nothing, to 2, a part that moves sales sevenfold up or down."""


@dataclass(frozen=True)
class Moments:
    """Where ratios were seen, or are wanted.

    Attributes:
        day: days after as-of of the middle of the period (negative: before), shape (n,).
        age: mean age of the customers in days, shape (n,).
        cohort: day of first purchase of the cohort, days after as-of, shape (n,).
    """

    day: FloatArray
    age: FloatArray
    cohort: FloatArray


Kernel = Callable[[Moments, Moments], FloatArray]


def _apart(left: FloatArray, right: FloatArray) -> FloatArray:
    return np.abs(left[:, None] - right[None, :])


def _season(left: Moments, right: Moments) -> FloatArray:
    """MacKay (1998), equation 47: as alike as their days in the year are."""
    days = _apart(left.day, right.day)
    return np.asarray(np.exp(-2 * np.sin(np.pi * days / DAYS_PER_YEAR) ** 2 / SEASON_REACH**2))


def _level(left: Moments, right: Moments) -> FloatArray:
    return np.asarray(np.exp(-_apart(left.day, right.day) / LEVEL_REACH_DAYS))


def _age(left: Moments, right: Moments) -> FloatArray:
    logs = (np.log(side.age + AGE_SHIFT_DAYS) for side in (left, right))
    return np.asarray(np.exp(-_apart(*logs) / AGE_REACH))


def _cohort(left: Moments, right: Moments) -> FloatArray:
    return np.asarray(np.exp(-_apart(left.cohort, right.cohort) / COHORT_REACH_DAYS))


def _shock(left: Moments, right: Moments) -> FloatArray:
    return np.asarray(_apart(left.day, right.day) == 0, dtype=np.float64)


def _noise(left: Moments, right: Moments) -> FloatArray:
    same = (_apart(left.day, right.day) == 0) & (_apart(left.cohort, right.cohort) == 0)
    return np.asarray(same, dtype=np.float64)


PARTS: Mapping[str, tuple[Kernel, float]] = {
    "season": (_season, 0.15),
    "level": (_level, 0.10),
    "age": (_age, 0.15),
    "cohort": (_cohort, 0.15),
    "shock": (_shock, 0.10),
    "noise": (_noise, 0.05),
}
"""Each part's correlation and the median of its prior size, a standard deviation of the log ratio."""
FORESEEN = ("season", "level")
"""The parts that go on after as-of."""


@dataclass(frozen=True)
class Variation:
    """The parts told apart.

    Attributes:
        sizes: standard deviation of each part over time, as estimated.
        moments: where ratios were seen.
        precision_: inverse covariance of the ratios, shape (n, n).
        weights_: precision times ratios, shape (n,).
    """

    sizes: Mapping[str, float]
    moments: Moments
    precision_: FloatArray
    weights_: FloatArray

    def part(self, name: str, wanted: Moments) -> FloatArray:
        """Expected log ratio that one part makes, shape of `wanted.day`.

        Args:
            name: key of `sizes`.
            wanted: where.
        """
        return _settled(self._covariance((name,), wanted, self.moments) @ self.weights_)

    def uncertainty(self, names: Sequence[str], wanted: Moments) -> FloatArray:
        """Covariance of the sum of some parts given what was seen, shape (m, m).

        Args:
            names: keys of `sizes`.
            wanted: where, m moments.
        """
        across = self._covariance(names, wanted, self.moments)
        prior = self._covariance(names, wanted, wanted)
        return _settled(prior - across @ self.precision_ @ across.T)

    def _covariance(self, names: Sequence[str], left: Moments, right: Moments) -> FloatArray:
        parts = [self.sizes[name] ** 2 * PARTS[name][0](left, right) for name in names]
        return np.asarray(sum(parts), dtype=np.float64)


def _settled(logs: FloatArray) -> FloatArray:
    """Logarithms without the last digits of a matrix product, which depend on where arrays lie in memory."""
    return np.asarray(logs.round(_LOG_DIGITS), dtype=np.float64)


def prior_uncertainty(names: Sequence[str], wanted: Moments) -> FloatArray:
    """Covariance of the sum of some parts in a shop of which nothing is known, shape (m, m).

    Args:
        names: keys of `PARTS`.
        wanted: where, m moments.
    """
    nothing = Moments(*(np.zeros(0),) * 3)
    usual = {name: PARTS[name][1] for name in names}
    return Variation(usual, nothing, np.zeros((0, 0)), np.zeros(0)).uncertainty(names, wanted)


def told_apart(
    moments: Moments,
    log_ratio: FloatArray,
    variance: FloatArray,
    names: Sequence[str] = tuple(PARTS),
    start: Mapping[str, float] | None = None,
) -> Variation:
    """The parts of noisy log ratios, with sizes at the maximum of their posterior density.

    Args:
        moments: where the ratios were seen, n of them.
        log_ratio: shape (n,).
        variance: of each ratio's own noise, known, above 0, shape (n,).
        names: keys of `PARTS`.
        start: sizes to search from; the prior's medians where absent.

    Returns:
        A variation; the search is bounded and ends after 50 steps with what it has: a size that is not quite the
        likeliest is still a prior to shrink with.
    """
    medians = np.log([PARTS[name][1] for name in names])
    correlations = [PARTS[name][0](moments, moments) for name in names]
    known = np.diag(variance)

    def surprise(log_sizes: FloatArray) -> tuple[float, FloatArray]:
        """Minus the log posterior density of the sizes, and its gradient."""
        squares = np.exp(2 * log_sizes)
        covariance = known + sum(square * part for square, part in zip(squares, correlations, strict=True))
        factor = cho_factor(covariance, lower=True)
        weights = cho_solve(factor, log_ratio)
        inverse = cho_solve(factor, np.eye(log_ratio.size))
        strangeness = (log_sizes - medians) / PRIOR_SPREAD
        density = -log_ratio @ weights / 2 - np.log(np.diag(factor[0])).sum() - strangeness @ strangeness / 2
        gain = [
            square * (weights @ part @ weights - np.sum(inverse * part))
            for square, part in zip(squares, correlations, strict=True)
        ]
        return -float(density), -(np.array(gain) - strangeness / PRIOR_SPREAD)

    first = medians if start is None else np.log([start[name] for name in names])
    bounds = [SIZE_BOUNDS] * len(names)
    found = minimize(surprise, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 50}).x
    sizes = {name: float(np.exp(log_size)) for name, log_size in zip(names, found.round(_SIZE_DIGITS), strict=True)}
    covariance = known + sum(sizes[name] ** 2 * part for name, part in zip(names, correlations, strict=True))
    precision = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
    return Variation(sizes, moments, precision, precision @ log_ratio)


def mean_factor(variation_mean: npt.ArrayLike, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean of exp(log ratio) over the first 1, 2, ... of equal steps, and the standard error of its log.

    Args:
        variation_mean: expected log ratio of each step, shape (m,).
        covariance: of them, shape (m, m).

    Returns:
        Factors, above 0, and standard errors, at least 0 (delta method), both of shape (m,).
    """
    rates = np.exp(np.asarray(variation_mean, dtype=np.float64))
    so_far = np.cumsum(rates)
    spread = np.cumsum(np.cumsum(rates[:, None] * covariance * rates[None, :], axis=0), axis=1)
    return so_far / np.arange(1, rates.size + 1), np.sqrt(np.maximum(np.diag(spread), 0)) / so_far
