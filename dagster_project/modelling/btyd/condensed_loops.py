"""The inner loops of BG/CNBD-k and MBG/CNBD-k predictions.

Belongs here: what depends on the stage that a customer has reached since the last purchase. The equations:
`condensed.py`; the likelihood's loop: `geometric_loops.py`. Import it where it is used (see `compiled.py`).
"""

from __future__ import annotations

import math

import numpy as np

from dagster_project.modelling.btyd.geometric_loops import waiting
from dagster_project.modelling.compiled import compiled
from dagster_project.modelling.histories import FloatArray

_SMALLEST_EXPONENT = -600.0
_LAST_SHARE = 1e-16


@compiled
def log_waiting(n: FloatArray, elapsed: FloatArray, scale: FloatArray, stages: int) -> FloatArray:
    """Log of the probability of fewer than k stages in a time, given what was seen until its start.

    Args:
        n: r + k x, shape (n,).
        elapsed: time since the last purchase, at least 0, shape (n,).
        scale: alpha + t_x + elapsed, shape (n,).
        stages: k, at least 1.

    Returns:
        log S + n log(1 - elapsed / scale), shape (n,).
    """
    result = np.empty(n.size)
    for i in range(n.size):
        share = elapsed[i] / scale[i]
        result[i] = waiting(n[i], share, 1 / scale[i], stages)[0] + n[i] * math.log1p(-share)
    return result


@compiled
def expected_if_alive(
    n: FloatArray,
    share: FloatArray,
    ahead_share: FloatArray,
    failures: FloatArray,
    a: float,
    stages: int,
) -> FloatArray:
    """Purchases expected of one alive: over the stage reached, over future stages, over the chances to drop out.

    Every term is positive, so nothing cancels; the sums take time in proportion to the stages expected.

    Args:
        n: r + k x, shape (n,).
        share: (T - t_x) / (alpha + T), shape (n,).
        ahead_share: h / (alpha + T + h), shape (n,).
        failures: b + m, shape (n,).
        a: first shape of the drop-out probability.
        stages: k.

    Returns:
        At least 0, shape (n,).
    """
    result = np.empty(n.size)
    for i in range(n.size):
        weight, weights, total = 1.0, 0.0, 0.0
        for stage in range(stages):
            if stage > 0:
                weight *= (n[i] + stage - 1) / stage * share[i]
            weights += weight
            if weight > 0:
                total += weight * purchases_from(stage, n[i] + stage, ahead_share[i], failures[i], a, stages)
        result[i] = total / weights
    return result


@compiled
def purchases_from(stage: int, n: float, z: float, failures: float, a: float, stages: int) -> float:
    """Purchases expected of one at a stage: negative binomial future stages, a chance to drop out at every k-th.

    Args:
        stage: stages passed since the last purchase, 0 to k - 1.
        n: shape of the rate.
        z: h / (alpha + T + h), 0 to below 1.
        failures: second shape of the drop-out probability.
        a: its first shape.
        stages: k.
    """
    if z <= 0:
        return 0.0
    mean = n * z / (1 - z)
    log_none, first = n * math.log1p(-z), 0
    if log_none < _SMALLEST_EXPONENT:
        first = max(0, math.floor(mean - 14 * math.sqrt(mean / (1 - z))))
        log_none += math.lgamma(n + first) - math.lgamma(n) - math.lgamma(first + 1.0) + first * math.log(z)
    probability = math.exp(log_none)
    # purchases so far, if nobody's drop-out prevented them, and their expected number with drop-out
    passed, reached, staying = 0, 0.0, 1.0
    total, future = 0.0, first
    while True:
        while passed < (stage + future) // stages:
            reached += staying
            staying *= (failures + passed) / (a + failures + passed)
            passed += 1
        total += probability * reached
        ratio = z * (n + future) / (future + 1)
        if future > mean and ratio < 1 and probability * (reached + 1) / (1 - ratio) < _LAST_SHARE * total:
            return total
        probability *= ratio
        future += 1
        if probability == 0.0 and future > mean:
            return total
