"""How long subscribers stay: customers who say when they leave, at renewals of equal length.

Belongs here: shifted-beta-geometric and beta-discrete-Weibull by exact maximum likelihood, and what they predict. Not
here: customers who never say that they left (`btyd/`).

A subscriber of tenure t has renewed t times. In the beta-discrete-Weibull model (Fader, Hardie, Liu, Davin and
Steenburgh 2018, "How to project customer retention, revisited") the chance to survive t renewals is (1 - theta)^(t^c)
with theta from Beta(a, b) over subscribers, so that S(t) = B(a, b + t^c) / B(a, b). With c = 1, where nobody's own
chance changes with tenure, it is the shifted-beta-geometric model (Fader and Hardie 2007, "How to project customer
retention"): retention rises with tenure all the same, since those who leave easily leave first.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, psi, zeta

from dagster_project.modelling.histories import FloatArray, checked_customers
from dagster_project.modelling.maximum_likelihood import (
    Certificate,
    Derivatives,
    DidNotConverge,
    by_log_params,
    drawn_params,
    maximise,
)

# (a, b, c) to start from.
_STARTS = ((0.7, 1.2, 1.0), (0.7, 4.0, 1.0), (1.0, 20.0, 1.0), (5.0, 20.0, 0.7))


@dataclass(frozen=True)
class ContractParams:
    """All above 0: a, b of the chance to leave at the first renewal; c how that chance moves with tenure (1: not)."""

    a: float
    b: float
    c: float = 1.0


class BetaDiscreteWeibull:
    """Beta-discrete-Weibull: a subscriber's own chance to leave may fall (c < 1) or rise (c > 1) with tenure.

    Learnt: `params_`; and, None on a model made from given parameters, `log_likelihood_`, `log_covariance_` (of the
    logarithms of `estimated`) and `certificate_`.
    """

    name: ClassVar[str] = "beta_discrete_weibull"
    estimated: ClassVar[tuple[str, ...]] = ("a", "b", "c")

    params_: ContractParams
    log_likelihood_: float | None = None
    log_covariance_: FloatArray | None = None
    certificate_: Certificate | None = None

    @classmethod
    def from_params(cls, a: float, b: float, c: float = 1.0) -> Self:
        """A model with given parameters.

        Args:
            a: first shape of the chance to leave, above 0.
            b: second shape, above 0.
            c: power of tenure, above 0.

        Raises:
            ValueError: a parameter is not finite and above 0, or one that the model fixes differs.
        """
        if not all(np.isfinite(param) and param > 0 for param in (a, b, c)):
            raise ValueError(f"parameters are a={a}, b={b}, c={c}; expected all finite and above 0")
        if "c" not in cls.estimated and c != 1:
            raise ValueError(f"c is {c}, and {cls.name} is the model with c = 1; expected 1, or BetaDiscreteWeibull")
        model = cls()
        model.params_ = ContractParams(float(a), float(b), float(c))
        return model

    @classmethod
    def fit(
        cls, count_renewals: npt.ArrayLike, has_left: npt.ArrayLike, count_customers: npt.ArrayLike | None = None
    ) -> Self:
        """The model that makes these tenures likeliest.

        Args:
            count_renewals: times that each subscriber renewed, shape (n,), whole numbers from 0.
            has_left: whether the subscriber left at the next renewal, shape (n,); where not, it has not come yet.
            count_customers: subscribers that share each row, shape (n,), above 0; one each where absent.

        Raises:
            ValueError: a tenure is no whole number from 0, or the columns differ in length.
            DidNotConverge: nobody left, nobody stayed, or the maximum cannot be certified.
        """
        tenures = _Tenures.of(count_renewals, has_left, count_customers)
        number = tenures.count_customers
        if tenures.left.sum() == 0 or tenures.left[1:].sum() + tenures.staying[1:].sum() == 0:
            raise DidNotConverge(
                f"{cls.name} found nobody who left, or nobody who renewed, among {number:.0f} subscribers; expected "
                "both: give it a longer history, or use cohort averages"
            )

        def mean_of(log_params: FloatArray) -> Derivatives:
            level, slope, bend = cls._derivatives(log_params, tenures)
            return level / number, slope / number, bend / number

        starts = [np.log(start[: len(cls.estimated)]).tolist() for start in _STARTS]
        maximum = maximise(mean_of, starts, round(number), cls.name)
        model = cls.from_params(*np.exp(maximum.log_params))
        model.log_likelihood_, model.log_covariance_ = maximum.log_likelihood, maximum.log_covariance
        model.certificate_ = maximum.certificate
        return model

    @classmethod
    def log_likelihood_derivatives(
        cls,
        params: ContractParams,
        count_renewals: npt.ArrayLike,
        has_left: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
    ) -> Derivatives:
        """Total log-likelihood of the tenures, its gradient and Hessian by the log of `estimated`.

        Args:
            params: where to evaluate.
            count_renewals: as in `fit`.
            has_left: as in `fit`.
            count_customers: as in `fit`.

        Raises:
            ValueError: a tenure is impossible.
        """
        log_params = np.log([getattr(params, name) for name in cls.estimated])
        return cls._derivatives(log_params, _Tenures.of(count_renewals, has_left, count_customers))

    @classmethod
    def _derivatives(cls, log_params: FloatArray, tenures: _Tenures) -> Derivatives:
        """Of the charter's S: log S(t) of those who stay, log(S(t) - S(t+1)) of those who left at the next renewal."""
        count = len(cls.estimated)
        params = np.ones(3)
        params[:count] = np.exp(log_params)
        level, slope, bend = _log_survival(params, np.arange(tenures.left.size + 1.0))
        # with u and w the shares of S(t) and S(t+1) in their difference, derivatives are differences of weighted ones
        log_share = np.log(-np.expm1(level[1:] - level[:-1]))
        u, w = np.exp(-log_share), np.exp(level[1:] - level[:-1] - log_share)
        left_slope = u[:, None] * slope[:-1] - w[:, None] * slope[1:]
        crossed = slope[:, :, None] * slope[:, None, :] + bend
        left_bend = u[:, None, None] * crossed[:-1] - w[:, None, None] * crossed[1:]
        left_bend -= left_slope[:, :, None] * left_slope[:, None, :]
        total = tenures.left @ (level[:-1] + log_share) + tenures.staying @ level[:-1]
        total_slope = tenures.left @ left_slope + tenures.staying @ slope[:-1]
        total_bend = np.tensordot(tenures.left, left_bend, 1) + np.tensordot(tenures.staying, bend[:-1], 1)
        return by_log_params(params[:count], float(total), total_slope[:count], total_bend[:count, :count])

    def survival(self, count_renewals: npt.ArrayLike) -> FloatArray:
        """S(t): the share of new subscribers that renews at least so many times.

        Args:
            count_renewals: t, any shape, at least 0.

        Returns:
            Shares, 1 at 0 and falling.
        """
        params = np.array([self.params_.a, self.params_.b, self.params_.c])
        tenure = _checked_tenure(count_renewals)
        return np.asarray(np.exp(_log_survival(params, tenure.ravel())[0]).reshape(tenure.shape))

    def retention_rate(self, count_renewals: npt.ArrayLike) -> FloatArray:
        """The share of those who have renewed t times that renews once more, S(t+1)/S(t).

        Args:
            count_renewals: t, any shape, at least 0.
        """
        tenure = _checked_tenure(count_renewals)
        return np.asarray(self.survival(tenure + 1) / self.survival(tenure))

    def draw_params(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Parameters drawn from what the fit knows of them, as `PurchaseModel.draw_params`.

        Args:
            rng: the source of chance.
            count: draws, at least 0.

        Raises:
            ValueError: the model was made from given parameters.
        """
        return drawn_params([getattr(self.params_, name) for name in self.estimated], self.log_covariance_, rng, count)

    def to_dict(self) -> dict[str, Any]:
        """Name, parameters and provenance of the fit, JSON-able: all that is needed to make the model again."""
        return {
            "model": self.name,
            "params": asdict(self.params_),
            "log_likelihood": self.log_likelihood_,
            "log_covariance": None if self.log_covariance_ is None else self.log_covariance_.tolist(),
            "certificate": None if self.certificate_ is None else self.certificate_.to_dict(),
        }


class ShiftedBetaGeometric(BetaDiscreteWeibull):
    """Shifted-beta-geometric: c = 1, nobody's own chance to leave changes (Fader and Hardie 2007)."""

    name = "shifted_beta_geometric"
    estimated = ("a", "b")


@dataclass(frozen=True)
class _Tenures:
    """Subscribers per number of renewals: those who left at the next one, and those who still stay; shape (k,)."""

    left: FloatArray
    staying: FloatArray

    @property
    def count_customers(self) -> float:
        return float(self.left.sum() + self.staying.sum())

    @classmethod
    def of(
        cls, count_renewals: npt.ArrayLike, has_left: npt.ArrayLike, count_customers: npt.ArrayLike | None
    ) -> _Tenures:
        tenure, left = _checked_tenure(count_renewals).ravel(), np.ravel(np.asarray(has_left, dtype=np.bool_))
        if tenure.size != left.size:
            raise ValueError(f"there are {tenure.size} tenures and {left.size} marks of leaving; expected as many")
        if not (tenure == np.floor(tenure)).all():
            first = int(np.argmin(tenure == np.floor(tenure)))
            raise ValueError(f"row {first} has {tenure[first]:g} renewals; expected a whole number from 0")
        weights = checked_customers(count_customers, tenure.size)
        weights = weights if weights.size else np.ones(tenure.size)
        place, size = tenure.astype(np.int64), int(tenure.max(initial=0)) + 1
        gone, kept = (np.bincount(place, weights=weights * mark, minlength=size) for mark in (left, ~left))
        return cls(np.asarray(gone, dtype=np.float64), np.asarray(kept, dtype=np.float64))


def _checked_tenure(count_renewals: npt.ArrayLike) -> FloatArray:
    """Renewals as floats, or a ValueError naming the first impossible one."""
    tenure = np.asarray(count_renewals, dtype=np.float64)
    is_possible = np.isfinite(tenure) & (tenure >= 0)
    if not is_possible.all():
        first = int(np.argmin(is_possible))
        raise ValueError(f"row {first} has {tenure.flat[first]:g} renewals; expected a finite number from 0")
    return tenure


def _log_survival(params: FloatArray, tenure: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log S(t) with gradients and Hessians by (a, b, c); shapes (n,), (n, 3) and (n, 3, 3)."""
    a, b, c = params
    log_tenure = np.log(np.where(tenure > 0, tenure, 1.0))
    power = np.where(tenure > 0, np.exp(c * log_tenure), 0.0)
    level = gammaln(b + power) - gammaln(b) + gammaln(a + b) - gammaln(a + b + power)
    of_a = psi(a + b) - psi(a + b + power)
    of_power = psi(b + power) - psi(a + b + power)
    slope = np.stack([of_a, of_a + psi(b + power) - psi(b), of_power * power * log_tenure], axis=-1)
    both, own = zeta(2, a + b + power), zeta(2, b + power)
    aa = zeta(2, a + b) - both
    bb = aa + own - zeta(2, b)
    ac, bc = -both * power * log_tenure, (own - both) * power * log_tenure
    cc = ((own - both) * power + of_power) * power * log_tenure**2
    bend = np.stack([np.stack(row, axis=-1) for row in ((aa, aa, ac), (aa, bb, bc), (ac, bc, cc))], axis=-2)
    return np.asarray(level), np.asarray(slope), np.asarray(bend)
