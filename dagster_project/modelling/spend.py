"""Spend per purchase: the Gamma-Gamma model by exact maximum likelihood.

Belongs here: the likelihood of customers' mean spend and the spend it expects of each. How often they buy: `btyd.py`.

A customer's spends vary around an own mean, Gamma(p, nu), and nu is Gamma(q, gamma) over customers, independent of how
often they buy (Fader and Hardie 2013, "The Gamma-Gamma model of monetary value"). The independence is reported as
`count_spend_correlation_`, not assumed away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, psi

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.maximum_likelihood import Certificate, DidNotConverge, maximise

# (p, q) to start from; gamma follows from the mean spend.
_STARTS = ((6.0, 4.0), (1.0, 2.0), (2.0, 10.0), (20.0, 1.5))


@dataclass(frozen=True)
class GammaGammaParams:
    """All above 0: p shape of one customer's spends, q and gamma (in money) of how customers differ."""

    p: float
    q: float
    gamma: float


class GammaGamma:
    """Mean spend per purchase, shrunk towards the population's.

    Learnt: `params_`, `observed_mean_spend_` (mean of the fitted customers' means), `count_spend_correlation_`
    (Pearson; None where undefined), `log_likelihood_`, `log_covariance_` (of log p, log q, log gamma; shape (3, 3)) and
    `certificate_`.
    """

    name = "gamma_gamma"

    params_: GammaGammaParams
    observed_mean_spend_: float | None = None
    count_spend_correlation_: float | None = None
    log_likelihood_: float | None = None
    log_covariance_: FloatArray | None = None
    certificate_: Certificate | None = None

    @classmethod
    def from_params(cls, p: float, q: float, gamma: float, observed_mean_spend: float | None = None) -> Self:
        """A model with given parameters.

        Args:
            p: shape of one customer's spends, above 0.
            q: shape of how customers differ, above 0.
            gamma: scale of how customers differ, in money, above 0.
            observed_mean_spend: stands in for the population mean where q <= 1, in money, above 0.

        Raises:
            ValueError: a parameter is not finite and above 0, or q <= 1 without an observed mean.
        """
        given = (p, q, gamma) if observed_mean_spend is None else (p, q, gamma, observed_mean_spend)
        if not all(np.isfinite(param) and param > 0 for param in given):
            raise ValueError(f"parameters are {given}; expected all finite and above 0")
        if q <= 1 and observed_mean_spend is None:
            raise ValueError(f"q is {q}: the population mean is undefined for q <= 1; give observed_mean_spend")
        model = cls()
        model.params_ = GammaGammaParams(float(p), float(q), float(gamma))
        model.observed_mean_spend_ = observed_mean_spend
        return model

    @classmethod
    def fit(cls, count: npt.ArrayLike, mean: npt.ArrayLike) -> Self:
        """The model that makes these mean spends likeliest.

        Args:
            count: purchases behind each mean, shape (n,), whole numbers from 0; customers with 0 are left out.
            mean: mean spend of those purchases, shape (n,), above 0 in money; ignored (may be NaN) where count is 0.

        Returns:
            A fitted model; the search runs in units of the mean spend, so the currency does not matter.

        Raises:
            ValueError: a count or a mean is impossible.
            DidNotConverge: nobody has a purchase, or the maximum cannot be certified.
        """
        counts, means = _checked_spend(count, mean)
        has_spend = counts > 0
        counts, means = counts[has_spend], means[has_spend]
        if counts.size == 0:
            raise DidNotConverge(f"{cls.name} found no customer with spend, expected some: use cohort averages")
        unit = float(means.mean())
        distinct, weight = np.unique(np.stack((counts, means / unit)), axis=1, return_counts=True)
        starts = [(np.log(p), np.log(q), np.log(abs(q - 1) / p)) for p, q in _STARTS]

        def mean_log_likelihood(log_params: FloatArray) -> tuple[float, FloatArray]:
            level, slope = _log_likelihood(log_params, distinct[0], distinct[1], weight.astype(np.float64))
            return level / counts.size, slope / counts.size

        maximum = maximise(mean_log_likelihood, starts, counts.size, cls.name)
        p, q, gamma = np.exp(maximum.log_params)
        model = cls.from_params(p, q, gamma * unit, observed_mean_spend=unit)
        model.log_likelihood_ = (mean_log_likelihood(maximum.log_params)[0] - float(np.log(unit))) * counts.size
        model.log_covariance_, model.certificate_ = maximum.log_covariance, maximum.certificate
        if np.ptp(counts) > 0 and np.ptp(means) > 0:
            model.count_spend_correlation_ = float(np.corrcoef(counts, means)[0, 1])
        return model

    @classmethod
    def log_likelihood_and_gradient(
        cls, params: GammaGammaParams, count: npt.ArrayLike, mean: npt.ArrayLike
    ) -> tuple[float, FloatArray]:
        """Total log-likelihood of the mean spends, and its gradient by (log p, log q, log gamma), shape (3,).

        Args:
            params: where to evaluate.
            count: as in `fit`, but at least 1.
            mean: as in `fit`.

        Raises:
            ValueError: a count or a mean is impossible.
        """
        counts, means = _checked_spend(count, mean)
        if (counts < 1).any():
            raise ValueError("a count is 0; expected customers with spend only: nothing is likely about no purchase")
        return _log_likelihood(np.log([params.p, params.q, params.gamma]), counts, means, np.ones(counts.size))

    @property
    def is_population_mean_defined(self) -> bool:
        """Whether q > 1; if not, the observed mean stands in and nobody is shrunk."""
        return self.params_.q > 1

    @property
    def population_mean(self) -> float:
        """Mean spend over customers, p gamma / (q - 1); where q <= 1 that is infinite: the observed mean instead."""
        if self.is_population_mean_defined:
            return self.params_.p * self.params_.gamma / (self.params_.q - 1)
        return float(self.observed_mean_spend_ or np.nan)

    def expected_mean_spend(self, count: npt.ArrayLike, mean: npt.ArrayLike) -> FloatArray:
        """Each customer's expected spend per purchase, given what was seen.

        Args:
            count: purchases behind each mean, any shape, whole numbers from 0.
            mean: mean spend of those purchases, same shape, above 0; ignored (may be NaN) where count is 0.

        Returns:
            Money, above 0, same shape: p (gamma + x mean) / (p x + q - 1), equation 5 of the 2013 note. The population
            mean where count is 0. Where q <= 1 there is no mean to shrink to: each customer's own.

        Raises:
            ValueError: a count or a mean is impossible.
        """
        counts, means = _checked_spend(count, mean)
        if not self.is_population_mean_defined:
            return np.asarray(np.where(counts > 0, means, self.population_mean), dtype=np.float64)
        p, q, gamma = self.params_.p, self.params_.q, self.params_.gamma
        return np.asarray(p * (gamma + counts * means) / (p * counts + q - 1), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Name, parameters and provenance of the fit, JSON-able."""
        return {
            "model": self.name,
            "params": asdict(self.params_),
            "observed_mean_spend": self.observed_mean_spend_,
            "is_population_mean_defined": self.is_population_mean_defined,
            "count_spend_correlation": self.count_spend_correlation_,
            "log_likelihood": self.log_likelihood_,
            "certificate": None if self.certificate_ is None else self.certificate_.to_dict(),
        }


def _log_likelihood(
    log_params: FloatArray, count: FloatArray, mean: FloatArray, weight: FloatArray
) -> tuple[float, FloatArray]:
    """Log-likelihood of mean spends (equation 1a of the 2013 note) and its gradient by the log parameters."""
    p, q, gamma = np.exp(log_params)
    shape, spread = p * count, np.log(gamma + count * mean)
    log_total = np.log(count * mean)
    terms = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma) - np.log(mean)
    terms += shape * log_total - (shape + q) * spread
    by_p = weight @ (count * (psi(shape + q) - psi(shape) + log_total - spread))
    by_q = weight @ (psi(shape + q) - psi(q) + np.log(gamma) - spread)
    by_gamma = weight @ (q / gamma - (shape + q) / (gamma + count * mean))
    return float(weight @ terms), np.array([p * by_p, q * by_q, gamma * by_gamma])


def _checked_spend(count: npt.ArrayLike, mean: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Counts and means as floats, the mean 0 where the count is; or a ValueError naming the first impossible pair."""
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
