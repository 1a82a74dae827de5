"""The inner loops of BG/NBD, MBG/NBD and their CNBD-k forms.

Belongs here: sums over rows for the likelihood, and P(alive) row by row. The equations: `beta_geometric.py`. Import it
where it is used (see `compiled.py`).
"""

from __future__ import annotations

import math

import numpy as np

from dagster_project.modelling.compiled import compiled
from dagster_project.modelling.histories import FloatArray, IntArray
from dagster_project.modelling.vector_math import exp_of_negative, log1p_of_share


@compiled
def likelihood_sums(
    row_x: IntArray,
    row_last: IntArray,
    row_age: IntArray,
    row_customers: FloatArray,
    time: FloatArray,
    log_time: FloatArray,
    inverse_time: FloatArray,
    shape: FloatArray,
    log_odds: FloatArray,
    inverse_b: FloatArray,
    stages: int | None,
) -> FloatArray:
    """Sums over customers of log S + log(1 + e^o), the part of the likelihood that needs t_x, and of its derivatives.

    o = c - log S + n (log(alpha+T) - log(alpha+t_x)) is the log odds to be gone, with n = r + k x and
    c = log(a / (b+m-1)); g = e^o / (1 + e^o) and v = g (1 - g). S is 1 unless gaps have k > 1 stages.

    Args:
        row_x: position of each row's x, shape (rows,).
        row_last: position of its t_x.
        row_age: position of its T.
        row_customers: its customers.
        time: times, shape (times,).
        log_time: log(alpha + time).
        inverse_time: 1 / (alpha + time).
        shape: n, shape (levels,).
        log_odds: c; minus infinity where nobody can be gone.
        inverse_b: d c / d b = -1 / (b+m-1).
        stages: k from 2, or None for 1: then the loop is compiled without S, to vector instructions.

    Returns:
        15 sums: the level; first derivatives by n and alpha; g; g dc/db; second derivatives by nn, n alpha and
        alpha alpha; v o_n; v o_n dc/db; v o_alpha; v o_alpha dc/db; v; v dc/db; (g + v) (dc/db)^2.
    """
    level, by_n, by_alpha, gone, gone_b = 0.0, 0.0, 0.0, 0.0, 0.0
    by_nn, by_na, by_aa = 0.0, 0.0, 0.0
    vary_n, vary_nb, vary_alpha, vary_alphab, vary, vary_b, vary_bb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(row_x.size):
        x, last, age, w = row_x[row], row_last[row], row_age[row], row_customers[row]
        n, of_b, inverse_last, inverse_age = shape[x], inverse_b[x], inverse_time[last], inverse_time[age]
        log_s, s_n, s_a, s_nn, s_na, s_aa = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        if stages is not None:
            share = (time[age] - time[last]) * inverse_age
            log_s, s_n, s_a, s_nn, s_na, s_aa = waiting(n, share, inverse_age, stages)
        o_n = log_time[age] - log_time[last]
        o = log_odds[x] + n * o_n - log_s
        o_na = inverse_age - inverse_last
        o_a = n * o_na
        o_aa = -o_a * (inverse_age + inverse_last) - s_aa
        o_n, o_a, o_na = o_n - s_n, o_a - s_a, o_na - s_na
        odds = exp_of_negative(-abs(o))
        likelier = 1 / (1 + odds)
        g = w * (likelier if o > 0 else odds * likelier)
        v = w * odds * likelier * likelier
        level += w * (log_s + max(o, 0.0) + log1p_of_share(odds))
        by_n += w * s_n + g * o_n
        by_alpha += w * s_a + g * o_a
        gone += g
        gone_b += g * of_b
        v_n, v_a, v_b = v * o_n, v * o_a, v * of_b
        by_nn += (w - g) * s_nn + v_n * o_n
        by_na += w * s_na + g * o_na + v_n * o_a
        by_aa += w * s_aa + g * o_aa + v_a * o_a
        vary_n += v_n
        vary_nb += v_n * of_b
        vary_alpha += v_a
        vary_alphab += v_a * of_b
        vary += v
        vary_b += v_b
        vary_bb += (g * of_b + v_b) * of_b
    sums = (level, by_n, by_alpha, gone, gone_b, by_nn, by_na, by_aa)
    return np.array((*sums, vary_n, vary_nb, vary_alpha, vary_alphab, vary, vary_b, vary_bb))


@compiled
def waiting(n: float, share: float, inverse_age: float, stages: int) -> tuple[float, float, float, float, float, float]:
    """Log of S = sum over j < k of (n)_j / j! share^j, and its derivatives by n and alpha.

    S (1 - share)^n is the probability that the stages passed since the last purchase are too few for another one.

    Args:
        n: r + k x, above 0.
        share: (T - t_x) / (alpha + T), 0 to below 1.
        inverse_age: 1 / (alpha + T).
        stages: k, at least 1.

    Returns:
        log S and its derivatives by n, alpha, nn, n alpha, alpha alpha.
    """
    total, term, harmonic, squares = 1.0, 1.0, 0.0, 0.0
    by_n, by_a, by_nn, by_na, by_aa = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(1, stages):
        term *= (n + j - 1) / j * share
        harmonic += 1 / (n + j - 1)
        squares += 1 / ((n + j - 1) * (n + j - 1))
        of_alpha = -j * inverse_age
        total += term
        by_n += term * harmonic
        by_a += term * of_alpha
        by_nn += term * (harmonic * harmonic - squares)
        by_na += term * harmonic * of_alpha
        by_aa += term * of_alpha * (of_alpha - inverse_age)
    s_n, s_a = by_n / total, by_a / total
    seconds = (by_nn / total - s_n * s_n, by_na / total - s_n * s_a, by_aa / total - s_a * s_a)
    return math.log(total), s_n, s_a, *seconds


@compiled
def alive(
    x: FloatArray,
    log_last: FloatArray,
    log_age: FloatArray,
    r: float,
    a: float,
    b: float,
    chances_at_first: int,
) -> FloatArray:
    """P(alive) where gaps have one stage.

    Args:
        x: repeat purchases, shape (n,).
        log_last: log(alpha + t_x), shape (n,).
        log_age: log(alpha + T), shape (n,); overwritten with the result.
        r: shape of the purchase rate.
        a: first shape of the drop-out.
        b: second shape of the drop-out.
        chances_at_first: 0 where nobody drops out at the first purchase, else 1.

    Returns:
        Probabilities, shape (n,).
    """
    for i in range(x.size):
        failures = b + x[i] + chances_at_first - 1
        exponent = (r + x[i]) * (log_age[i] - log_last[i])
        # alive / gone, and no chance to be gone where there was no purchase to drop out at
        smaller = exp_of_negative(-exponent) * failures
        log_age[i] = smaller / (smaller + a) if x[i] + chances_at_first > 0 else 1.0
    return log_age
