"""Exponentials and logarithms that a compiled loop does on several rows at once.

Belongs here: the two elementary functions that the inner loops need, free of branches and calls, so that the compiler
turns a loop around them into vector instructions. With the C library's functions in their place a pass of the BG/NBD
likelihood took 33 ns a row, with these 9 ns.
"""

from __future__ import annotations

import numpy as np

from dagster_project.modelling.compiled import step_of_loops

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
"""ln 2 in two parts, as in Cody and Waite's reduction: the first has few enough bits that its product is exact."""


@step_of_loops
def exp_of_negative(exponent: float) -> float:
    """The exponential of a number up to 0, to 2 units in the last place; below -700 that of -700, 1e-304."""
    bounded = max(exponent, -700.0)
    halvings = np.floor(bounded * _LOG2_E + 0.5)
    r = bounded - halvings * _LN2_HIGH - halvings * _LN2_LOW
    # Taylor's series to the 13th power: |r| is at most ln 2 / 2, where the next term is 4e-18
    series = 1 / 39916800 + r * (1 / 479001600 + r / 6227020800)
    series = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * series)))
    series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * series))))))
    power_of_two = np.int64((np.int64(halvings) + 1023) << 52)
    return series * power_of_two.view(np.float64)


@step_of_loops
def log1p_of_share(share: float) -> float:
    """log(1 + share) for a share of 0 to 1, to 3 units in the last place: 2 artanh(share / (2 + share))."""
    s = share / (2 + share)
    z = s * s
    # artanh's series: z is at most 1/9, where the first term left out is 3e-17 of the sum
    series = 1 / 23 + z * (1 / 25 + z * (1 / 27 + z * (1 / 29 + z / 31)))
    series = 1 / 13 + z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z * (1 / 21 + z * series))))
    series = 1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * series))))
    return 2 * s * (1 + z * series)


@step_of_loops
def log_of_positive(number: float) -> float:
    """The natural logarithm of a normal number above 0, to 1e-16 beside the larger of itself and 1."""
    bits = np.float64(number).view(np.int64)
    # the mantissa between the roots of 1/2 and 2, so that the series converges equally fast at both ends
    shifted = bits - np.int64(0x3FE6A09E667F3BCD)
    exponent = shifted >> 52
    mantissa = np.int64(bits - (exponent << 52)).view(np.float64)
    s = (mantissa - 1) / (mantissa + 1)
    z = s * s
    # artanh's series: z is at most 0.0295, where the first term left out is 4e-18 of the sum
    series = 1 / 13 + z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z / 21)))
    series = 1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * series))))
    return exponent * _LN2_HIGH + (2 * s * (1 + z * series) + exponent * _LN2_LOW)
