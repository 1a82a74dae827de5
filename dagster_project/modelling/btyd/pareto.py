"""Pareto/NBD: a customer may drop out at any moment, also long after the last purchase.

Belongs here: its likelihood with its derivatives, and what it predicts. The loops over customers: `pareto_loops.py`.

A customer buys at an exponential rate, Gamma(r, alpha) over customers, until a death that comes at an exponential rate
of its own, Gamma(s, beta) (Schmittlein, Morrison and Colombo 1987, "Counting your customers"). Fader and Hardie (2005,
"A note on deriving the Pareto/NBD model") give the likelihood with two hypergeometric functions; before its integral is
taken (their equation 41, summed over what may have happened after t_x) it is

    L = Gamma(r+x)/Gamma(r) alpha^r beta^s { (alpha+T)^-(r+x) (beta+T)^-s
                                             + integral from t_x to T of s (alpha+u)^-(r+x) (beta+u)^-(s+1) du }

and so are its derivatives: integrals of one family, smooth for every alpha and beta. One who is alive at T has a
purchase rate from Gamma(r+x, alpha+T) and a death rate from Gamma(s, beta+T), independent of each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import expit, exprel

from dagster_project.modelling.btyd.model import PurchaseModel
from dagster_project.modelling.btyd.pairs import over_distinct_pairs
from dagster_project.modelling.btyd.rate_terms import add_rate_terms
from dagster_project.modelling.btyd.statistics import Statistics
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.maximum_likelihood import Derivatives, by_log_params

# (r, s, beta) to start from, in units of the longest T; alpha follows from the observed rate.
_STARTS = ((0.5, 0.6, 0.3), (1.0, 1.0, 1.0), (1.0, 0.2, 0.1), (4.0, 2.0, 2.0))
_UPPER = np.triu_indices(4)


@dataclass(frozen=True)
class ParetoParams:
    """All above 0: r, alpha (in the unit of time) of the purchase rate; s, beta (in it too) of the death rate."""

    r: float
    alpha: float
    s: float
    beta: float


class ParetoNBD(PurchaseModel):
    """Pareto/NBD: customers may leave between purchases (Schmittlein, Morrison and Colombo 1987)."""

    name = "pareto_nbd"
    params_class = ParetoParams
    estimated = ("r", "alpha", "s", "beta")

    @classmethod
    def _starts(cls, log_rate: float) -> list[list[float]]:
        return [[np.log(r), np.log(r) - log_rate, np.log(s), np.log(beta)] for r, s, beta in _STARTS]

    @classmethod
    def _fitted(cls, statistics: Statistics, unit: float, total_log_gap: float | None) -> Self:
        maximum = cls._searched(statistics, 1)
        r, alpha, s, beta = np.exp(maximum.log_params)
        log_likelihood = maximum.log_likelihood - float(statistics.total_repeats * np.log(unit))
        return cls.from_params(r, alpha * unit, s, beta * unit)._learnt(maximum, log_likelihood)

    @classmethod
    def _derivatives(cls, log_params: FloatArray, statistics: Statistics, stages: int) -> Derivatives:
        """The equation of the charter: terms of x and of T from their tables, the integral in one pass over rows."""
        from dagster_project.modelling.btyd import pareto_loops

        r, alpha, s, beta = params = np.exp(log_params)
        sums = pareto_loops.likelihood_sums(
            statistics.row_x,
            statistics.row_last,
            statistics.row_age,
            statistics.row_customers,
            statistics.x,
            statistics.time,
            r,
            alpha,
            s,
            beta,
        )
        level, slope, bend = sums[0], sums[1:5].copy(), np.zeros((4, 4))
        bend[_UPPER] = sums[5:]
        bend += np.triu(bend, 1).T
        times = np.log(alpha + statistics.time), 1 / (alpha + statistics.time)
        level += add_rate_terms((r, alpha), statistics, 1, times, slope[:2], bend[:2, :2])
        level += _add_death_terms((s, beta), statistics, slope[2:], bend[2:, 2:])
        return by_log_params(params, level, slope, bend)

    def _alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        """The first term of L over both (Schmittlein, Morrison and Colombo 1987, their P(alive))."""
        from dagster_project.modelling.btyd import pareto_loops

        r, alpha, s, beta = self._shape()
        x_distinct, last, seen = x.ravel(), t_x.ravel(), age.ravel()
        falls = pareto_loops.falls(r + x_distinct, s + 1, alpha, beta, last, seen)
        with np.errstate(divide="ignore"):
            log_odds = np.log(s * falls / (beta + last)) + s * np.log((beta + seen) / (beta + last))
        log_odds += (r + x_distinct) * np.log((alpha + seen) / (alpha + last))
        return np.asarray(expit(-log_odds).reshape(x.shape))

    def _buys_if_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
        """The next purchase comes at u: the integral of (r+x)/(alpha+u) times those who neither died nor bought."""
        from dagster_project.modelling.btyd import pareto_loops

        r, alpha, s, beta = self._shape()

        def of_pair(x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
            x, age, ahead = np.broadcast_arrays(x, age, ahead)
            start, n = age.ravel(), r + x.ravel()
            falls = pareto_loops.falls(n + 1, s, alpha, beta, start, start + ahead.ravel())
            return np.asarray(np.minimum(n / (alpha + start) * falls, 1.0).reshape(x.shape))

        return over_distinct_pairs(of_pair, x, age, ahead)

    def _expected_if_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
        """(r+x)/(alpha+T) (beta+T)/(s-1) [1 - ((beta+T)/(beta+T+h))^(s-1)], continued through s = 1."""
        r, alpha, s, beta = self._shape()
        span = np.log1p(ahead / (beta + age))
        return np.asarray((r + x) * (beta + age) / (alpha + age) * span * exprel((1 - s) * span))

    def _draw_if_alive(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        r, alpha, s, beta = self._shape()
        with np.errstate(divide="ignore", over="ignore"):
            until_death = rng.standard_exponential(x.shape) * (beta + age) / rng.gamma(s, size=x.shape)
        return np.asarray(
            rng.poisson(rng.gamma(r + x) / (alpha + age) * np.minimum(until_death, ahead)), dtype=np.float64
        )

    def _shape(self) -> tuple[float, float, float, float]:
        return self.params_.r, self.params_.alpha, self.params_.s, self.params_.beta


def _add_death_terms(params: tuple[float, float], statistics: Statistics, slope: FloatArray, bend: FloatArray) -> float:
    """Log of beta^s (beta+T)^-s over customers; its derivatives are added in place."""
    (s, beta), n = params, statistics.customers_of_age
    count, near = statistics.count_customers, 1 / (beta + statistics.time)
    survived = count * np.log(beta) + n @ np.log(near)
    fading = float(count / beta - n @ near)
    slope += (survived, s * fading)
    bend += ((0.0, fading), (fading, s * float(n @ near**2 - count / beta**2)))
    return float(s * survived)
