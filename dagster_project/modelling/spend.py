"""Spend per purchase: the Gamma-Gamma model by exact maximum likelihood.

Belongs here: the fit and the spend that it expects of each customer. The likelihood: `spend_likelihood.py`; how often
customers buy: `btyd/`.

A customer's spends vary around an own mean, Gamma(p, nu), and nu is Gamma(q, gamma) over customers, independent of how
often they buy (Fader and Hardie 2013, "The Gamma-Gamma model of monetary value"). The independence is reported as
`count_spend_correlation_`, not assumed away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.maximum_likelihood import (
    Certificate,
    Derivatives,
    DidNotConverge,
    drawn_params,
    maximise,
)
from dagster_project.modelling.spend_independence import spend_independence
from dagster_project.modelling.spend_likelihood import SpendStatistics, checked_spend

# (p, q) to start from; gamma follows from the mean spend.
_STARTS = ((6.0, 4.0), (1.0, 2.0), (2.0, 10.0), (20.0, 1.5))
_SAMPLE_ROWS = 20_000


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
    def fit(cls, count: npt.ArrayLike, mean: npt.ArrayLike, count_customers: npt.ArrayLike | None = None) -> Self:
        """The model that makes these mean spends likeliest.

        Args:
            count: purchases behind each mean, shape (n,), whole numbers from 0; customers with 0 are left out. Repeat
                purchases only, as in the 2013 note, or all: the caller's choice, and the same in predictions.
            mean: mean spend of those purchases, shape (n,), above 0 in money; ignored (may be NaN) where count is 0.
            count_customers: customers that share each pair, shape (n,), above 0; one each where absent.

        Returns:
            A fitted model; the search runs in units of the mean spend, so the currency does not matter.

        Raises:
            ValueError: a count or a mean is impossible.
            DidNotConverge: nobody has a purchase, or the maximum cannot be certified.
        """
        statistics = SpendStatistics.of(count, mean, count_customers)
        if statistics.customers.size == 0:
            raise DidNotConverge(f"{cls.name} found no customer with spend, expected some: use cohort averages")
        number = float(statistics.customers.sum())
        unit = float(statistics.customers @ (statistics.total / statistics.count[statistics.row_count])) / number
        scaled = replace(statistics, total=statistics.total / unit)
        sample = scaled.sample(_SAMPLE_ROWS)
        maximum = maximise(
            scaled.mean_derivatives,
            [[np.log(p), np.log(q), np.log(abs(q - 1) / p)] for p, q in _STARTS],
            round(number),
            cls.name,
            None if sample is None else sample.mean_derivatives,
        )
        p, q, gamma = np.exp(maximum.log_params)
        model = cls.from_params(p, q, gamma * unit, observed_mean_spend=unit)
        model.log_likelihood_ = maximum.log_likelihood - number * float(np.log(unit))
        model.log_covariance_, model.certificate_ = maximum.log_covariance, maximum.certificate
        model.count_spend_correlation_ = spend_independence(count, mean, count_customers).correlation
        return model

    @classmethod
    def log_likelihood_derivatives(
        cls,
        params: GammaGammaParams,
        count: npt.ArrayLike,
        mean: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
    ) -> Derivatives:
        """Total log-likelihood of the mean spends, its gradient and Hessian by (log p, log q, log gamma).

        Args:
            params: where to evaluate.
            count: as in `fit`; customers with 0 add nothing.
            mean: as in `fit`.
            count_customers: as in `fit`.

        Raises:
            ValueError: a count or a mean is impossible.
        """
        return SpendStatistics.of(count, mean, count_customers).derivatives(np.log([params.p, params.q, params.gamma]))

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
        counts, means = checked_spend(count, mean)
        if not self.is_population_mean_defined:
            return np.asarray(np.where(counts > 0, means, self.population_mean), dtype=np.float64)
        p, q, gamma = self.params_.p, self.params_.q, self.params_.gamma
        return np.asarray(p * (gamma + counts * means) / (p * counts + q - 1), dtype=np.float64)

    def draw_params(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Parameters drawn from what the fit knows of them: normal in their logarithms, the inverse information wide.

        Args:
            rng: the source of chance.
            count: draws, at least 0.

        Returns:
            (p, q, gamma), shape (count, 3), all above 0.

        Raises:
            ValueError: the model was made from given parameters, which have no uncertainty.
        """
        return drawn_params((self.params_.p, self.params_.q, self.params_.gamma), self.log_covariance_, rng, count)

    def with_params(self, drawn: npt.ArrayLike) -> Self:
        """The model with other parameters, as one row of `draw_params`.

        Args:
            drawn: (p, q, gamma).

        Raises:
            ValueError: a parameter is not finite and above 0.
        """
        p, q, gamma = np.asarray(drawn, dtype=np.float64).tolist()
        return self.from_params(p, q, gamma, self.observed_mean_spend_)

    def draw_mean_spend(self, count: npt.ArrayLike, mean: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Each customer's true mean spend per purchase, drawn from its distribution given what was seen.

        Args:
            count: as in `expected_mean_spend`; give each customer's row, not the distinct ones.
            mean: as in `expected_mean_spend`.
            rng: the source of chance.

        Returns:
            Money, above 0, same shape: p / nu with nu from Gamma(p x + q, gamma + x mean). Its mean over draws is
            `expected_mean_spend` where q > 1; where q <= 1 draws for customers without spend have no mean.

        Raises:
            ValueError: a count or a mean is impossible.
        """
        counts, means = checked_spend(count, mean)
        p, q, gamma = self.params_.p, self.params_.q, self.params_.gamma
        return np.asarray(p * (gamma + counts * means) / rng.gamma(p * counts + q))

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
