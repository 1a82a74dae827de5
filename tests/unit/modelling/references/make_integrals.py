"""Makes integrals.json: the integral that Pareto/NBD needs, to 30 digits, on random cases.

    python make_integrals.py > integrals.json

It needs mpmath and nothing of this repository. The integral of ((alpha+start)/(alpha+u))^p ((beta+start)/(beta+u))^q
from start to end is taken by tanh-sinh quadrature between points that close in on the start, where the integrand is
steepest. A row is p, q, alpha, beta, start, end, integral. 300 rows took four minutes.
"""

import json
import random
import sys

import mpmath as mp

COUNT_ROWS = 300


def integral(p, q, alpha, beta, start, end):
    """The integral as a float, in the variable log((kappa + u) / (kappa + start)) with kappa the smaller scale."""
    p, q, alpha, beta, start, end = map(mp.mpf, (p, q, alpha, beta, start, end))
    scale = min(alpha, beta) + start

    def integrand(v):
        moved = mp.expm1(v) * scale
        falls = ((alpha + start) / (alpha + start + moved)) ** p * ((beta + start) / (beta + start + moved)) ** q
        return mp.e**v * falls * scale

    length = mp.log1p((end - start) / scale)
    halvings, steps = (length * mp.mpf(2) ** -k for k in range(14)), (length * k / 16 for k in range(16))
    return float(mp.quad(integrand, sorted({*halvings, *steps})))


def main():
    """Print the rows."""
    mp.mp.dps = 30
    chance = random.Random(5)  # noqa: S311 cases, not secrets
    rows = []
    for _ in range(COUNT_ROWS):
        exponents = ((-2, 3.3), (-1, 1.7), (-2, 2), (-2, 2))
        p, q, alpha, beta = (10 ** chance.uniform(*limits) for limits in exponents)
        start = chance.choice([0.0, 10 ** chance.uniform(-2, 1)])
        end = start + 10 ** chance.uniform(-2, 2)
        rows.append([p, q, alpha, beta, start, end, integral(p, q, alpha, beta, start, end)])
    sys.stdout.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
