"""The inner loop of non-negative factorisation, over clauses or terms.

Belongs here: one pass of coordinate descent. Import it where it is used (see `compiled.py`).
"""

from __future__ import annotations

from dagster_project.modelling.compiled import compiled
from dagster_project.modelling.histories import FloatArray


@compiled
def improve(shares: FloatArray, products: FloatArray, overlaps: FloatArray, rounds: int) -> None:
    """Move each row of shares towards its least-squares optimum under shares >= 0, part after part, in place.

    Hierarchical alternating least squares (Cichocki and Phan 2009, algorithm 2).

    Args:
        shares: shape (rows, parts).
        products: the data times the other factor, shape (rows, parts).
        overlaps: the other factor's inner products, shape (parts, parts).
        rounds: passes over the parts.
    """
    count_rows, parts = shares.shape
    for row in range(count_rows):
        for _ in range(rounds):
            for part in range(parts):
                pull = products[row, part]
                for other in range(parts):
                    pull -= shares[row, other] * overlaps[part, other]
                if overlaps[part, part] > 0.0:
                    shares[row, part] = max(0.0, shares[row, part] + pull / overlaps[part, part])
