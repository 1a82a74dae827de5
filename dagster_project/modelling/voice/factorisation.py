"""Taking a matrix of terms in clauses apart into few non-negative parts.

Belongs here: the first guess and the factorisation. Does not belong here: what the parts mean (`themes.py`), the inner
loop (`theme_loops.py`).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from dagster_project.modelling.histories import FloatArray

DIGITS = 6
"""Decimals that are kept: far fewer than the sums have, so that no last digit shows."""
_LEADERS_LIKENESS = 0.3  # two first guesses more alike than this would be one theme
_PASSES = 2  # over the parts, in each round


def with_leaders(weights: sparse.csr_matrix, parts: FloatArray, count: int) -> FloatArray:
    """Parts to start from, shape (up to count, terms): those given, then the terms that stand for most that is left.

    A leader is a term with the terms beside it; it must be unlike every part that is there.

    Args:
        weights: of terms in clauses, shape (clauses, terms).
        parts: that there are, shape (parts, terms).
        count: of parts at most.
    """
    together = (weights.T @ weights).toarray()
    lengths = np.sqrt((together**2).sum(axis=1))
    directions = together / np.maximum(lengths, 1e-12)[:, None]
    chosen = [part / np.sqrt((part**2).sum()) for part in parts]
    likeness = np.zeros(len(together))
    for part in chosen:
        likeness = np.maximum(likeness, (directions * part).sum(axis=1))
    for term in np.argsort(-together.sum(axis=1), kind="stable").tolist():
        if len(chosen) >= count:
            break
        if likeness[term] < _LEADERS_LIKENESS and lengths[term] > 0:
            chosen.append(directions[term])
            likeness = np.maximum(likeness, (directions * directions[term]).sum(axis=1))
    return np.array(chosen)


def factorised(weights: sparse.csr_matrix, start: FloatArray, rounds: int) -> tuple[FloatArray, FloatArray]:
    """Parts of a non-negative factorisation, each of length 1, and how much weight lies along each.

    Args:
        weights: what is to be taken apart, shape (clauses, terms).
        start: parts to start from, shape (parts, terms).
        rounds: of improving shares and parts in turn.

    Returns:
        Parts, and the weight along each; parts that nothing is left of are dropped.
    """
    from dagster_project.modelling.voice.theme_loops import improve

    parts, terms = start.copy(), weights.T.tocsr()
    shares = np.full((weights.shape[0], len(parts)), 0.1)
    for _ in range(rounds):
        improve(shares, weights @ parts.T, overlaps(parts.T), _PASSES)
        turned = np.ascontiguousarray(parts.T)
        improve(turned, terms @ shares, overlaps(shares), _PASSES)
        parts = np.ascontiguousarray(turned.T)
    lengths = np.sqrt((parts**2).sum(axis=1))
    kept = lengths > 0
    sizes = np.round(shares.sum(axis=0) * lengths, DIGITS)
    return np.round(parts[kept] / lengths[kept, None], DIGITS), sizes[kept]


def overlaps(columns: FloatArray) -> FloatArray:
    """Inner products of columns, summed in NumPy's own order and not in a BLAS.

    Args:
        columns: shape (rows, columns).
    """
    rows = np.ascontiguousarray(columns.T)
    return np.einsum("ij,kj->ik", rows, rows)
