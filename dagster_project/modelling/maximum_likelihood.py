"""Maximum likelihood with a certificate: a fit is returned only when it is shown to be a maximum.

Belongs here: the search over log parameters and the proof that it ended at a well-determined maximum, for any model
that offers a log-likelihood with its gradient and Hessian. The likelihoods live with their models.

The search is Newton's with the Hessian's eigenvalues made positive, steps limited and halved until they gain: from any
start it climbs, and near a maximum each step doubles the number of right digits. Where a likelihood comes with a
sample of itself, the starts are tried on the sample and all customers are only passed over for the last three or four
steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np

from dagster_project.modelling.histories import FloatArray

Derivatives: TypeAlias = tuple[float, FloatArray, FloatArray]
"""A log-likelihood, its gradient, shape (k,), and its Hessian, shape (k, k)."""
Objective: TypeAlias = Callable[[FloatArray], Derivatives]

MAXIMUM_GRADIENT_NORM = 1e-6
"""Largest slope allowed, per customer and unit of a log parameter; searches end below 1e-12 on the real shops."""
MAXIMUM_NEWTON_DECREMENT = 1e-6
"""Largest gain of the whole log-likelihood that one more Newton step may promise."""
MAXIMUM_LOG_STANDARD_ERROR = 5.0
"""Least certain direction allowed, in log units: beyond it parameters are unknown within a factor of 150."""
MAXIMUM_LOG_PARAMETER = 15.0
"""Edge of the search, on parameters in the model's own scale of about 1; a fit at the edge is a runaway."""

_LONGEST_STEP = 2.0
_SETTLED_STEP = 1e-9
"""A search ends when its next step would change no parameter by more than this share of itself."""
_ROUGHLY_SETTLED_STEP = 1e-3
"""The same for searches that only say which start leads highest: two steps from the end, which only the best goes."""
_MAXIMUM_STEPS = 60
"""On 600 simulated shops no search that ended at a maximum took more than 11, from any start."""
_MAXIMUM_HALVINGS = 20


class DidNotConverge(RuntimeError):
    """The likelihood has no maximum that the search could certify; nothing is returned in its place."""


@dataclass(frozen=True)
class Certificate:
    """Proof that a fit is a maximum, in log parameters.

    Attributes:
        gradient_norm: largest slope of the mean log-likelihood per customer.
        newton_decrement: gain in total log-likelihood that one more Newton step promises.
        smallest_eigenvalue: of the total observed information; above 0 at a strict maximum.
        count_customers: customers behind the likelihood.
        count_starts: starting points tried.
        count_starts_agreeing: those whose search ended within 0.1 of the best total log-likelihood.
    """

    gradient_norm: float
    newton_decrement: float
    smallest_eigenvalue: float
    count_customers: int
    count_starts: int
    count_starts_agreeing: int

    def to_dict(self) -> dict[str, float]:
        """The certificate as a JSON-able dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class Maximum:
    """A certified maximum: log parameters, log-likelihood, covariance (inverse observed information), and the proof."""

    log_params: FloatArray
    log_likelihood: float
    log_covariance: FloatArray
    certificate: Certificate


@dataclass(frozen=True)
class _Point:
    """Where a search is: log parameters, and the loss (minus the mean log-likelihood) with its derivatives there."""

    log_params: FloatArray
    loss: float
    slope: FloatArray
    bend: FloatArray


def maximise(
    mean_log_likelihood: Objective,
    starts: Sequence[Sequence[float]],
    count_customers: int,
    model: str,
    sample: Objective | None = None,
) -> Maximum:
    """The certified maximum of a log-likelihood, searched from every start.

    Args:
        mean_log_likelihood: takes log parameters, shape (k,); gives the log-likelihood per customer, its gradient and
            its Hessian.
        starts: log parameters to start from, each of length k.
        count_customers: customers that the mean is over, at least 1.
        model: the model's name, for messages.
        sample: the same of a sample of the customers, much cheaper; the starts are tried on it. Where the best of
            them leads to nothing that can be certified, the starts are tried on all customers.

    Returns:
        The best maximum over all starts.

    Raises:
        DidNotConverge: the best point is no maximum, is at the edge of the search, or leaves a direction of the
            parameters undetermined.
    """
    if sample is not None:
        rough, starts_seen = _best_of(sample, starts, count_customers)
        try:
            refined = _search(mean_log_likelihood, rough.log_params, _SETTLED_STEP)
            return _certify(refined, count_customers, starts_seen=starts_seen, model=model)
        except DidNotConverge:
            starts = [*starts, list(rough.log_params)]
    best, starts_seen = _best_of(mean_log_likelihood, starts, count_customers)
    refined = _search(mean_log_likelihood, best.log_params, _SETTLED_STEP)
    return _certify(refined, count_customers, starts_seen=starts_seen, model=model)


def _best_of(
    objective: Objective, starts: Sequence[Sequence[float]], count_customers: int
) -> tuple[_Point, tuple[int, int]]:
    """The lowest end of the searches from all starts, and how many there were and came out there."""
    ends = [_search(objective, np.asarray(start, dtype=np.float64), _ROUGHLY_SETTLED_STEP) for start in starts]
    best = min(ends, key=lambda end: end.loss)
    agreeing = sum(bool((end.loss - best.loss) * count_customers <= 0.1) for end in ends)
    return best, (len(ends), agreeing)


def _search(objective: Objective, start: FloatArray, settled_step: float) -> _Point:
    """Newton's steps from a start until they settle, are all refused, or reach the edge."""
    here = _point(objective, np.clip(start, -MAXIMUM_LOG_PARAMETER, MAXIMUM_LOG_PARAMETER))
    for _ in range(_MAXIMUM_STEPS):
        step = _step(here)
        is_leaving = (np.abs(here.log_params) >= MAXIMUM_LOG_PARAMETER) & (here.log_params * step > 0)
        if float(np.abs(step).max()) <= settled_step or is_leaving.any():
            break
        there = _downhill(objective, here, step)
        if there is None:
            break
        here = there
    return here


def _point(objective: Objective, log_params: FloatArray) -> _Point:
    """The loss at a point; infinite where the likelihood has no finite value or derivatives."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        level, slope, bend = objective(log_params)
    if not (np.isfinite(level) and np.isfinite(slope).all() and np.isfinite(bend).all()):
        return _Point(log_params, np.inf, np.zeros_like(log_params), np.zeros((log_params.size,) * 2))
    return _Point(log_params, -level, -slope, -(bend + bend.T) / 2)


def _step(here: _Point) -> FloatArray:
    """Newton's step with the Hessian's eigenvalues made positive, no longer than the longest step."""
    eigenvalues, directions = np.linalg.eigh(here.bend)
    sizes = np.abs(eigenvalues)
    step = -directions @ ((directions.T @ here.slope) / np.maximum(sizes, max(1e-10 * float(sizes.max()), 1e-300)))
    return np.asarray(step * min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300)), dtype=np.float64)


def _downhill(objective: Objective, here: _Point, step: FloatArray) -> _Point | None:
    """The point after the longest halving of the step that gains; None where none does.

    Gains below the rounding of the loss cannot be seen in it: there a step is good when it lessens the slope.
    """
    rounding = 1e-13 * (1 + abs(here.loss))
    steepest = float(np.abs(here.slope).max())
    is_within_rounding = float(np.abs(here.slope @ step)) < rounding
    for _ in range(2 if is_within_rounding else _MAXIMUM_HALVINGS):
        there = _point(objective, np.clip(here.log_params + step, -MAXIMUM_LOG_PARAMETER, MAXIMUM_LOG_PARAMETER))
        gain = here.loss - there.loss
        if gain > rounding or (gain >= -rounding and float(np.abs(there.slope).max()) < steepest):
            return there
        step = step / 2
    return None


def _certify(point: _Point, count_customers: int, *, starts_seen: tuple[int, int], model: str) -> Maximum:
    """The maximum with its certificate, or the reason why there is none."""
    eigenvalues, directions = np.linalg.eigh(point.bend * count_customers)
    promised = (directions.T @ point.slope * count_customers) ** 2 / np.maximum(np.abs(eigenvalues), 1e-300)
    certificate = Certificate(
        gradient_norm=float(np.abs(point.slope).max()),
        newton_decrement=float(promised.sum() / 2),
        smallest_eigenvalue=float(eigenvalues[0]),
        count_customers=count_customers,
        count_starts=starts_seen[0],
        count_starts_agreeing=starts_seen[1],
    )
    failures = _failures(certificate, point)
    if failures:
        raise DidNotConverge(
            f"{model} on {count_customers} customers found no certified maximum ({'; '.join(failures)}). "
            "The histories do not determine its parameters: give it more customers or a longer history, "
            "or use cohort averages"
        )
    covariance = (directions / eigenvalues) @ directions.T
    level = -point.loss * count_customers
    return Maximum(point.log_params, level, np.asarray(covariance, dtype=np.float64), certificate)


def _failures(certificate: Certificate, point: _Point) -> list[str]:
    """What keeps a point from being a certified maximum; empty where nothing does."""
    least_information = 1 / MAXIMUM_LOG_STANDARD_ERROR**2
    failures = []
    if not np.isfinite(point.loss):
        failures.append("the likelihood is not finite at any start")
    if np.abs(point.log_params).max() >= MAXIMUM_LOG_PARAMETER - 0.01:
        failures.append("a parameter ran to the edge of the search")
    if not certificate.gradient_norm <= MAXIMUM_GRADIENT_NORM:
        failures.append(f"gradient {certificate.gradient_norm:.2g}, expected at most {MAXIMUM_GRADIENT_NORM:g}")
    if not certificate.smallest_eigenvalue >= least_information:
        failures.append(
            f"smallest eigenvalue of the information {certificate.smallest_eigenvalue:.2g}, "
            f"expected at least {least_information:g}"
        )
    if not failures and not certificate.newton_decrement <= MAXIMUM_NEWTON_DECREMENT:
        failures.append(f"Newton decrement {certificate.newton_decrement:.2g}, above {MAXIMUM_NEWTON_DECREMENT:g}")
    return failures


def by_log_params(params: FloatArray, level: float, slope: FloatArray, bend: FloatArray) -> Derivatives:
    """Derivatives by parameters turned into derivatives by their logarithms.

    Args:
        params: above 0, shape (k,).
        level: the log-likelihood.
        slope: its gradient by the parameters, shape (k,).
        bend: its Hessian by the parameters, shape (k, k).
    """
    gradient = params * slope
    return float(level), gradient, np.outer(params, params) * bend + np.diag(gradient)


def drawn_params(
    params: Sequence[float], log_covariance: FloatArray | None, rng: np.random.Generator, count: int
) -> FloatArray:
    """Parameters drawn from what a fit knows of them: normal in their logarithms, the inverse information wide.

    Args:
        params: the estimates, above 0, length k.
        log_covariance: of their logarithms, shape (k, k); None on a model that was not fitted.
        rng: the source of chance.
        count: draws, at least 0.

    Returns:
        Parameters, shape (count, k), all above 0.

    Raises:
        ValueError: there is no covariance.
    """
    if log_covariance is None:
        raise ValueError("the model was made from given parameters, which have no uncertainty; expected a fitted one")
    # the Cholesky factor, as NumPy's multivariate_normal has signs that depend on the linear algebra library
    spread = rng.standard_normal((count, len(params))) @ np.linalg.cholesky(log_covariance).T
    return np.asarray(np.exp(np.log(params) + spread), dtype=np.float64)
