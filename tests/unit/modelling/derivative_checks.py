"""Derivatives written out by hand, against differences of what they are derivatives of."""

import numpy as np


def assert_derivatives_agree(at, centre, rtol=1e-6, step=1e-5):
    """Gradient against differences of the level, Hessian against differences of the gradient, around a point.

    Args:
        at: gives (level, gradient, Hessian) at log parameters.
        centre: log parameters, shape (k,).
        rtol: largest difference, beside the largest entry of each row.
        step: half the width of a difference.
    """
    _, slope, bend = at(centre)
    around = [(at(centre + move), at(centre - move)) for move in np.eye(centre.size) * step]
    slopes = np.array([(above[0] - below[0]) / (2 * step) for above, below in around])
    bends = np.array([(above[1] - below[1]) / (2 * step) for above, below in around])
    np.testing.assert_allclose(slope, slopes, rtol=rtol, atol=rtol * np.abs(slope).max())
    np.testing.assert_allclose(bend, bends, rtol=rtol, atol=rtol * np.abs(bend).max())
    np.testing.assert_array_equal(bend, bend.T)
