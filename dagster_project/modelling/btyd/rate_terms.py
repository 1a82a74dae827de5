"""The part of the likelihood that all purchase models share: how often those who stay buy.

Belongs here: the terms of a purchase rate that is Gamma(r, alpha) over customers, and their derivatives. How customers
leave: the models.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, psi, zeta

from dagster_project.modelling.btyd.statistics import Statistics
from dagster_project.modelling.histories import FloatArray


def add_rate_terms(
    params: tuple[float, float],
    statistics: Statistics,
    stages: int,
    times: tuple[FloatArray, FloatArray],
    slope: FloatArray,
    bend: FloatArray,
) -> float:
    """Log of Gamma(r+kx)/Gamma(r) alpha^r (alpha+T)^-(r+kx) over customers; its derivatives are added in place."""
    (r, alpha), (log_time, inverse_time) = params, times
    x, n = statistics.levels
    shape = r + stages * x
    of_age = statistics.customers_of_age
    powers = r * of_age + stages * statistics.repeats_of_age
    count, log_times = statistics.count_customers, of_age @ log_time
    slope += (
        n @ (psi(shape) - psi(r)) + count * np.log(alpha) - log_times,
        count * r / alpha - powers @ inverse_time,
    )
    crossed = count / alpha - of_age @ inverse_time
    bend += (
        (n @ (zeta(2, shape) - zeta(2, r)), crossed),
        (crossed, powers @ inverse_time**2 - count * r / alpha**2),
    )
    return float(n @ (gammaln(shape) - gammaln(r)) + count * r * np.log(alpha) - powers @ log_time)
