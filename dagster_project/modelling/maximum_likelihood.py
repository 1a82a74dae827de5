"""Maximum likelihood with a certificate: a fit is returned only when it is shown to be a maximum.

Belongs here: the search over log parameters and the proof that it ended at a well-determined maximum, for any model
that offers a log-likelihood with its gradient. The likelihoods live with their models (`btyd.py`, `spend.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

import numpy as np
from scipy.optimize import minimize

from dagster_project.modelling.histories import FloatArray

Objective: TypeAlias = Callable[[FloatArray], tuple[float, FloatArray]]

MAXIMUM_GRADIENT_NORM = 1e-6
"""Largest slope allowed, per customer and unit of a log parameter; Newton steps end below 1e-14 on the real shops."""
MAXIMUM_NEWTON_DECREMENT = 1e-6
"""Largest gain of the whole log-likelihood that one more Newton step may promise."""
MAXIMUM_LOG_STANDARD_ERROR = 5.0
"""Least certain direction allowed, in log units: beyond it parameters are unknown within a factor of 150."""
MAXIMUM_LOG_PARAMETER = 15.0
"""Edge of the search, on parameters in the model's own scale of about 1; a fit at the edge is a runaway."""

_HESSIAN_STEP = 1e-5
_MAXIMUM_NEWTON_STEPS = 50


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
        count_starts_agreeing: those whose search ended within 0.01 of the best total log-likelihood.
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
    """A certified maximum: log parameters, their covariance (inverse observed information), and the proof."""

    log_params: FloatArray
    log_covariance: FloatArray
    certificate: Certificate


def maximise(
    mean_log_likelihood: Objective, starts: Sequence[Sequence[float]], count_customers: int, model: str
) -> Maximum:
    """The certified maximum of a log-likelihood, searched from every start and polished with Newton steps.

    Args:
        mean_log_likelihood: takes log parameters, shape (k,); gives the log-likelihood per customer and its gradient,
            shape (k,).
        starts: log parameters to start from, each of length k.
        count_customers: customers that the mean is over, at least 1.
        model: the model's name, for messages.

    Returns:
        The best maximum over all starts.

    Raises:
        DidNotConverge: the best point is no maximum, is at the edge of the search, or leaves a direction of the
            parameters undetermined.
    """

    def objective(log_params: FloatArray) -> tuple[float, FloatArray]:
        with np.errstate(over="ignore", invalid="ignore"):
            level, slope = mean_log_likelihood(log_params)
        if not (np.isfinite(level) and np.isfinite(slope).all()):
            return 1e300, np.zeros_like(log_params)
        return -level, -slope

    bounds = [(-MAXIMUM_LOG_PARAMETER, MAXIMUM_LOG_PARAMETER)] * len(starts[0])
    ends = [
        minimize(objective, np.asarray(start, dtype=np.float64), jac=True, method="L-BFGS-B", bounds=bounds)
        for start in starts
    ]
    best = min(ends, key=lambda end: float(end.fun))
    agreeing = sum((float(end.fun) - float(best.fun)) * count_customers <= 0.01 for end in ends)
    log_params = _polish(objective, np.asarray(best.x, dtype=np.float64))
    starts_seen = (len(ends), agreeing)
    return _certify(objective, log_params, count_customers, starts_seen=starts_seen, model=model)


def _polish(objective: Objective, log_params: FloatArray) -> FloatArray:
    """Newton steps, halved until they do not lose, while the Hessian is positive definite."""
    level, slope = objective(log_params)
    for _ in range(_MAXIMUM_NEWTON_STEPS):
        try:
            factor = np.linalg.cholesky(_hessian(objective, log_params))
        except np.linalg.LinAlgError:
            break
        step = -np.linalg.solve(factor.T, np.linalg.solve(factor, slope))
        step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-300))
        for _ in range(30):
            trial = np.clip(log_params + step, -MAXIMUM_LOG_PARAMETER, MAXIMUM_LOG_PARAMETER)
            trial_level, trial_slope = objective(trial)
            if trial_level <= level + 1e-14 * abs(level):
                break
            step /= 2
        else:
            break
        is_settled = np.abs(trial_slope).max() >= 0.5 * np.abs(slope).max() and level - trial_level < 1e-13 * abs(level)
        if is_settled:
            break
        log_params, level, slope = trial, trial_level, trial_slope
    return log_params


def _hessian(objective: Objective, log_params: FloatArray) -> FloatArray:
    """Central differences of the analytic gradient, made symmetric; shape (k, k)."""
    rows = []
    for direction in np.eye(log_params.size) * _HESSIAN_STEP:
        rows.append((objective(log_params + direction)[1] - objective(log_params - direction)[1]) / (2 * _HESSIAN_STEP))
    raw = np.asarray(rows)
    return np.asarray((raw + raw.T) / 2, dtype=np.float64)


def _certify(
    objective: Objective, log_params: FloatArray, count_customers: int, *, starts_seen: tuple[int, int], model: str
) -> Maximum:
    """The maximum with its certificate, or the reason why there is none."""
    slope = objective(log_params)[1]
    information = _hessian(objective, log_params) * count_customers
    eigenvalues, directions = np.linalg.eigh(information)
    promised = (directions.T @ slope * count_customers) ** 2 / np.maximum(np.abs(eigenvalues), 1e-300)
    certificate = Certificate(
        gradient_norm=float(np.abs(slope).max()),
        newton_decrement=float(promised.sum() / 2),
        smallest_eigenvalue=float(eigenvalues[0]),
        count_customers=count_customers,
        count_starts=starts_seen[0],
        count_starts_agreeing=starts_seen[1],
    )
    least_information = 1 / MAXIMUM_LOG_STANDARD_ERROR**2
    failures = []
    if np.abs(log_params).max() >= MAXIMUM_LOG_PARAMETER - 0.01:
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
    if failures:
        raise DidNotConverge(
            f"{model} on {count_customers} customers found no certified maximum ({'; '.join(failures)}). "
            "The histories do not determine its parameters: give it more customers or a longer history, "
            "or use cohort averages"
        )
    scaled = directions / eigenvalues
    return Maximum(log_params, np.asarray(scaled @ directions.T, dtype=np.float64), certificate)
