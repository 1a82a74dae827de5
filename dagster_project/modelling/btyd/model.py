"""What every purchase model offers, whatever its likelihood.

Belongs here: the door (checks, units, weights), the search for the maximum, draws of parameters, and what a fitted
model tells of itself. Not here: the likelihoods and predictions (`beta_geometric.py`, `condensed.py`, `pareto.py`),
the search's rules (`maximum_likelihood.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.btyd.statistics import Statistics
from dagster_project.modelling.histories import (
    FloatArray,
    checked_histories,
    checked_horizon,
)
from dagster_project.modelling.maximum_likelihood import (
    Certificate,
    Derivatives,
    DidNotConverge,
    Maximum,
    drawn_params,
    maximise,
)

SAMPLE_ROWS = 20_000
"""Repeat buyers on which the starts are tried. On 1 M simulated customers the sample's maximum lay within 5 % of the
last one and four passes over all rows remained, 43 ms of CPU in all; with 5,000 five remained (42 ms), with 80,000
still four (57 ms)."""


@dataclass(frozen=True)
class Predictions:
    """What a model expects of each customer.

    Attributes:
        probability_alive: in the shape of the histories, as `PurchaseModel.probability_alive`.
        expected_purchases: in the shape of histories and horizon together, as `PurchaseModel.expected_purchases`.
    """

    probability_alive: FloatArray
    expected_purchases: FloatArray


class PurchaseModel(ABC):
    """Repeat buying until an unseen drop-out; use one of the classes in `PURCHASE_MODELS`.

    Learnt: `params_`; and, None on a model made from given parameters, `log_likelihood_`, `log_covariance_` (of the
    logarithms of `estimated`, shape (k, k)) and `certificate_`. Time is in any one unit; a fit does not depend on it.
    """

    name: ClassVar[str]
    params_class: ClassVar[type[Any]]
    estimated: ClassVar[tuple[str, ...]]
    """The parameters that a fit searches, in the order of gradients and covariances."""

    params_: Any
    log_likelihood_: float | None = None
    log_covariance_: FloatArray | None = None
    certificate_: Certificate | None = None

    @classmethod
    def from_params(cls, *params: float, **named: float) -> Self:
        """A model with given parameters.

        Args:
            params: in the order of the model's parameter class, or
            named: by name; all finite and above 0.

        Raises:
            ValueError: a parameter is not finite and above 0.
        """
        given = cls.params_class(*map(float, params), **{name: float(number) for name, number in named.items()})
        if not all(np.isfinite(number) and number > 0 for number in asdict(given).values()):
            raise ValueError(f"parameters are {given}; expected all finite and above 0")
        model = cls()
        model.params_ = given
        return model

    @classmethod
    def fit(
        cls,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
        total_log_gap: float | None = None,
    ) -> Self:
        """The model that makes these histories likeliest.

        Args:
            count_repeats: purchases after the first (x), shape (n,), whole numbers from 0.
            time_to_last: time from first to last purchase (t_x), shape (n,), 0 exactly where x is 0.
            time_observed: time from first purchase to the end of observation (T), shape (n,), at least t_x.
            count_customers: customers that share each history, shape (n,), above 0; one each where absent.
            total_log_gap: sum over all customers' gaps between purchases of log(gap); only models whose gaps have a
                shape of their own (CNBD) read it.

        Returns:
            A fitted model; the search runs over log parameters in units of the longest T.

        Raises:
            ValueError: a history or a count is impossible, or what the model needs is absent.
            DidNotConverge: nobody bought again, or the maximum cannot be certified.
        """
        statistics, unit = cls._prepared(count_repeats, time_to_last, time_observed, count_customers)
        return cls._fitted(statistics, unit, total_log_gap)

    def refitted(
        self,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
        total_log_gap: float | None = None,
    ) -> Self:
        """The likeliest model of the same kind on other histories; what `fit` chooses besides parameters is kept.

        Args:
            count_repeats: as in `fit`.
            time_to_last: as in `fit`.
            time_observed: as in `fit`.
            count_customers: as in `fit`.
            total_log_gap: as in `fit`; where it is needed and absent, only the log-likelihood stays unknown.

        Raises:
            ValueError: as of `fit`.
            DidNotConverge: as of `fit`.
        """
        return self.fit(count_repeats, time_to_last, time_observed, count_customers, total_log_gap)

    @classmethod
    def _prepared(
        cls,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        count_customers: npt.ArrayLike | None,
    ) -> tuple[Statistics, float]:
        """Histories in units of their longest T, and that; or the refusal of histories without a repeat purchase."""
        statistics = Statistics.of(count_repeats, time_to_last, time_observed, count_customers)
        if statistics.total_repeats == 0:
            raise DidNotConverge(
                f"{cls.name} found no repeat purchase among {statistics.count_customers:.0f} customers, expected some: "
                "give it a longer history, or use cohort averages"
            )
        return statistics.in_unit(statistics.longest_age), statistics.longest_age

    @classmethod
    @abstractmethod
    def _fitted(cls, statistics: Statistics, unit: float, total_log_gap: float | None) -> Self:
        """The likeliest model of histories in units of their longest T, which is given."""

    @classmethod
    def _searched(cls, statistics: Statistics, stages: int) -> Maximum:
        """The certified maximum for gaps of that many stages (1 unless the model has more)."""
        count, sample = statistics.count_customers, statistics.sample(SAMPLE_ROWS)

        def mean_of(part: Statistics, log_params: FloatArray) -> Derivatives:
            level, slope, bend = cls._derivatives(log_params, part, stages)
            customers = part.count_customers
            return level / customers, slope / customers, bend / customers

        return maximise(
            lambda log_params: mean_of(statistics, log_params),
            cls._starts(np.log(stages * statistics.total_repeats / statistics.total_age)),
            round(count),
            cls.name,
            None if sample is None else lambda log_params: mean_of(sample, log_params),
        )

    @classmethod
    @abstractmethod
    def _starts(cls, log_rate: float) -> list[list[float]]:
        """Log parameters to start from, in units of the longest T, given the log of the observed rate of stages."""

    @classmethod
    @abstractmethod
    def _derivatives(cls, log_params: FloatArray, statistics: Statistics, stages: int) -> Derivatives:
        """Total log-likelihood with its derivatives by the log parameters."""

    def _learnt(self, maximum: Maximum, log_likelihood: float) -> Self:
        self.log_likelihood_, self.log_covariance_ = log_likelihood, maximum.log_covariance
        self.certificate_ = maximum.certificate
        return self

    @classmethod
    def log_likelihood_derivatives(
        cls,
        params: Any,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
    ) -> Derivatives:
        """Total log-likelihood of the histories, with gradient and Hessian by the log of `estimated`.

        Args:
            params: where to evaluate, of the model's parameter class.
            count_repeats: as in `fit`.
            time_to_last: as in `fit`.
            time_observed: as in `fit`.
            count_customers: as in `fit`.

        Returns:
            Log-likelihood, gradient of shape (k,), Hessian of shape (k, k). For CNBD without the term of the gaps,
            which no estimated parameter is in.

        Raises:
            ValueError: a history is impossible.
        """
        statistics = Statistics.of(count_repeats, time_to_last, time_observed, count_customers)
        log_params = np.log([getattr(params, name) for name in cls.estimated])
        return cls._derivatives(log_params, statistics, int(getattr(params, "k", 1)))

    def probability_alive(
        self, count_repeats: npt.ArrayLike, time_to_last: npt.ArrayLike, time_observed: npt.ArrayLike
    ) -> FloatArray:
        """Probability not to have dropped out by the end of observation.

        No churn score: BG/NBD gives 1 to every one-time buyer. Use `probability_no_purchase`.

        Args:
            count_repeats: x, any shape, whole numbers from 0.
            time_to_last: t_x, same shape, in the unit of the fit.
            time_observed: T, same shape, in the unit of the fit.

        Returns:
            Probabilities, same shape.

        Raises:
            ValueError: a history is impossible.
        """
        return self._alive(*checked_histories(count_repeats, time_to_last, time_observed))

    def expected_purchases(
        self,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        horizon: npt.ArrayLike,
    ) -> FloatArray:
        """Purchases expected within the horizon after the end of observation, given the history.

        Args:
            count_repeats: x, any shape, whole numbers from 0.
            time_to_last: t_x, same shape, in the unit of the fit.
            time_observed: T, same shape, in the unit of the fit.
            horizon: h, at least 0, in the unit of the fit; broadcasts against the others.

        Returns:
            Expected counts, at least 0, rising with h.

        Raises:
            ValueError: a history or a horizon is impossible.
        """
        return self.predict(count_repeats, time_to_last, time_observed, horizon).expected_purchases

    def probability_no_purchase(
        self,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        horizon: npt.ArrayLike,
    ) -> FloatArray:
        """Exact probability of no purchase within the horizon after the end of observation: the churn score.

        One who buys within the horizon is alive at its start, so it is 1 - P(alive) P(buys | alive).

        Args:
            count_repeats: x, any shape, whole numbers from 0.
            time_to_last: t_x, same shape, in the unit of the fit.
            time_observed: T, same shape, in the unit of the fit.
            horizon: h, at least 0, in the unit of the fit; broadcasts against the others.

        Returns:
            Probabilities, 1 at h = 0 and falling with h.

        Raises:
            ValueError: a history or a horizon is impossible.
        """
        histories = checked_histories(count_repeats, time_to_last, time_observed)
        return np.asarray(1 - self._alive(*histories) * self._buys_if_alive(*histories, checked_horizon(horizon)))

    def predict(
        self,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        horizon: npt.ArrayLike,
    ) -> Predictions:
        """P(alive) and expected purchases in one go, cheaper than one after the other.

        Args:
            count_repeats: as in `expected_purchases`.
            time_to_last: as in `expected_purchases`.
            time_observed: as in `expected_purchases`.
            horizon: as in `expected_purchases`.

        Raises:
            ValueError: a history or a horizon is impossible.
        """
        histories = checked_histories(count_repeats, time_to_last, time_observed)
        expected_if_alive = self._expected_if_alive(*histories, checked_horizon(horizon))
        alive = self._alive(*histories)
        return Predictions(alive, np.asarray(alive * expected_if_alive))

    def draw_params(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Parameters drawn from what the fit knows of them: normal in their logarithms, the inverse information wide.

        Args:
            rng: the source of chance.
            count: draws, at least 0.

        Returns:
            Parameters in the order of `estimated`, shape (count, k), all above 0.

        Raises:
            ValueError: the model was made from given parameters, which have no uncertainty.
        """
        estimates = [getattr(self.params_, name) for name in self.estimated]
        return drawn_params(estimates, self.log_covariance_, rng, count)

    def with_params(self, drawn: npt.ArrayLike) -> Self:
        """The model with other values of the estimated parameters, as one row of `draw_params`.

        Args:
            drawn: in the order of `estimated`, shape (k,).

        Raises:
            ValueError: a parameter is not finite and above 0.
        """
        named = dict(zip(self.estimated, np.asarray(drawn, dtype=np.float64).tolist(), strict=True))
        return self.from_params(**(asdict(self.params_) | named))

    def draw_purchases(
        self,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        horizon: npt.ArrayLike,
        rng: np.random.Generator,
    ) -> FloatArray:
        """A future drawn for each customer, given the history and the parameters: purchases within the horizon.

        Whether alive, the own rate and the own drop-out are drawn from their distribution given the history, then the
        purchases; the mean over many draws is `expected_purchases`, the share of zeros `probability_no_purchase`.

        Args:
            count_repeats: as in `expected_purchases`; give each customer's row, not the distinct ones.
            time_to_last: as in `expected_purchases`.
            time_observed: as in `expected_purchases`.
            horizon: as in `expected_purchases`.
            rng: the source of chance.

        Returns:
            Whole numbers from 0, in the broadcast shape.

        Raises:
            ValueError: a history or a horizon is impossible.
        """
        histories = checked_histories(count_repeats, time_to_last, time_observed)
        x, t_x, age, ahead = np.broadcast_arrays(*histories, checked_horizon(horizon))
        is_alive = rng.random(x.shape) < self._alive(x, t_x, age)
        return np.asarray(np.where(is_alive, self._draw_if_alive(x, t_x, age, ahead, rng), 0.0))

    @abstractmethod
    def _alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        """P(alive) of checked histories of one shape."""

    @abstractmethod
    def _expected_if_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
        """Purchases expected of one alive at T, in the broadcast shape."""

    @abstractmethod
    def _buys_if_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
        """Probability that one alive at T buys within the horizon, in the broadcast shape."""

    @abstractmethod
    def _draw_if_alive(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Purchases drawn for one alive at T; all of one shape."""

    def to_dict(self) -> dict[str, Any]:
        """Name, parameters and provenance of the fit, JSON-able: all that is needed to make the model again."""
        return {
            "model": self.name,
            "params": asdict(self.params_),
            "log_likelihood": self.log_likelihood_,
            "log_covariance": None if self.log_covariance_ is None else self.log_covariance_.tolist(),
            "certificate": None if self.certificate_ is None else self.certificate_.to_dict(),
        }
