"""The certificate: given at a maximum, refused everywhere else."""

import numpy as np
import pytest

from dagster_project.modelling.maximum_likelihood import DidNotConverge, maximise


def hill(log_params):
    """A log-likelihood with its maximum at (1, -2)."""
    off = log_params - np.array([1.0, -2.0])
    return -float(off @ off + off[0] * off[1]), -np.array([2 * off[0] + off[1], 2 * off[1] + off[0]])


def test_maximum_of_a_hill_is_found_and_certified():
    found = maximise(hill, [(5.0, 5.0), (-5.0, 3.0)], 100, "hill")
    np.testing.assert_allclose(found.log_params, [1, -2], atol=1e-9)
    np.testing.assert_allclose(found.log_covariance, np.linalg.inv([[200, 100], [100, 200]]), rtol=1e-5)
    assert found.certificate.gradient_norm < 1e-9
    assert found.certificate.smallest_eigenvalue == pytest.approx(100, rel=1e-5)
    assert (found.certificate.count_starts, found.certificate.count_starts_agreeing) == (2, 2)


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        (lambda at: (float(at[0]), np.array([1.0])), "edge of the search"),
        (lambda at: (-float(np.exp(-at[0])), np.array([np.exp(-at[0])])), "edge of the search|eigenvalue"),
        (lambda at: (0.0, np.zeros(1)), "eigenvalue"),
        (lambda at: (float(at[0] ** 2), 2 * at), "edge of the search|eigenvalue"),
        (lambda at: (np.nan, np.array([np.nan])), "eigenvalue"),
    ],
    ids=["rising_forever", "levelling_off", "flat", "valley", "undefined"],
)
def test_what_is_no_maximum_is_refused_with_the_reason(objective, reason):
    with pytest.raises(DidNotConverge, match=reason):
        maximise(objective, [(0.0,)], 1_000, "slope")


def test_best_of_several_hills_is_taken():
    def two_hills(at):
        near, far = np.exp(-((at[0] + 3) ** 2)), 2 * np.exp(-((at[0] - 3) ** 2))
        return float(near + far), np.array([-2 * (at[0] + 3) * near - 2 * (at[0] - 3) * far])

    found = maximise(two_hills, [(-3.2,), (3.4,)], 100, "hills")
    assert found.log_params[0] == pytest.approx(3, abs=1e-6)
    assert found.certificate.count_starts_agreeing == 1
