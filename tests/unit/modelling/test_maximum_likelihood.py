"""The certificate: given at a maximum, refused everywhere else."""

import numpy as np
import pytest

from dagster_project.modelling.maximum_likelihood import DidNotConverge, by_log_params, drawn_params, maximise


def hill(log_params):
    """A log-likelihood with its maximum at (1, -2)."""
    bend = np.array([[-2.0, -1.0], [-1.0, -2.0]])
    off = log_params - np.array([1.0, -2.0])
    return float(off @ bend @ off / 2), bend @ off, bend


def test_maximum_of_a_hill_is_found_and_certified():
    found = maximise(hill, [(5.0, 5.0), (-5.0, 3.0)], 100, "hill")
    np.testing.assert_allclose(found.log_params, [1, -2], atol=1e-9)
    np.testing.assert_allclose(found.log_covariance, np.linalg.inv([[200, 100], [100, 200]]), rtol=1e-12)
    assert found.certificate.gradient_norm < 1e-9
    assert found.certificate.smallest_eigenvalue == pytest.approx(100)
    assert (found.certificate.count_starts, found.certificate.count_starts_agreeing) == (2, 2)


@pytest.mark.parametrize(
    ("objective", "reason"),
    [
        (lambda at: (float(at[0]), np.ones(1), np.zeros((1, 1))), "edge of the search"),
        (
            lambda at: (-float(np.exp(-at[0])), np.exp(-at), -np.exp(-at)[:, None]),
            "edge of the search|eigenvalue",
        ),
        (lambda at: (0.0, np.zeros(1), np.zeros((1, 1))), "eigenvalue"),
        (lambda at: (float(at[0] ** 2), 2 * at, np.full((1, 1), 2.0)), "edge of the search|eigenvalue"),
        (lambda at: (np.nan, np.full(1, np.nan), np.full((1, 1), np.nan)), "not finite"),
    ],
    ids=["rising_forever", "levelling_off", "flat", "valley", "undefined"],
)
def test_what_is_no_maximum_is_refused_with_the_reason(objective, reason):
    with pytest.raises(DidNotConverge, match=reason):
        maximise(objective, [(0.0,)], 1_000, "slope")


def two_hills(at):
    near, far = np.exp(-((at[0] + 3) ** 2)), 2 * np.exp(-((at[0] - 3) ** 2))
    slope = -2 * (at[0] + 3) * near - 2 * (at[0] - 3) * far
    bend = (4 * (at[0] + 3) ** 2 - 2) * near + (4 * (at[0] - 3) ** 2 - 2) * far
    return float(near + far), np.array([slope]), np.array([[bend]])


def test_best_of_several_hills_is_taken():
    found = maximise(two_hills, [(-3.2,), (3.4,)], 100, "hills")
    assert found.log_params[0] == pytest.approx(3, abs=1e-6)
    assert found.certificate.count_starts_agreeing == 1


def test_starts_are_tried_on_the_sample_and_the_rest_is_settled_on_everything():
    passes = []

    def everything(at):
        passes.append(at.copy())
        return hill(at)

    def nearly(at):
        return hill(at + 0.01)

    found = maximise(everything, [(9.0, 9.0), (-9.0, 9.0)], 100, "hill", nearly)
    np.testing.assert_allclose(found.log_params, [1, -2], atol=1e-12)
    np.testing.assert_allclose(passes[0], [0.99, -2.01], atol=1e-9)
    assert len(passes) == 2


def test_misleading_sample_is_made_good_by_all_starts_on_everything():
    found = maximise(hill, [(5.0, 5.0)], 100, "hill", lambda at: (float(at.sum()), np.ones(2), np.zeros((2, 2))))
    np.testing.assert_allclose(found.log_params, [1, -2], atol=1e-9)


def test_derivatives_are_turned_into_those_by_logarithms():
    params = np.array([2.0, 5.0])
    level, slope, bend = by_log_params(params, 3.0, np.array([10.0, 0.4]), np.array([[1.0, 2.0], [2.0, 3.0]]))
    assert (level, slope.tolist()) == (3.0, [20.0, 2.0])
    np.testing.assert_allclose(bend, [[4.0 + 20.0, 20.0], [20.0, 75.0 + 2.0]])


def test_drawn_parameters_have_the_covariance_they_were_drawn_from():
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    drawn = drawn_params((2.0, 30.0), covariance, np.random.default_rng(1), 40_000)
    np.testing.assert_allclose(np.log(drawn).mean(axis=0), np.log([2.0, 30.0]), atol=0.006)
    np.testing.assert_allclose(np.cov(np.log(drawn).T), covariance, atol=0.003)
    with pytest.raises(ValueError, match="given parameters"):
        drawn_params((2.0, 30.0), None, np.random.default_rng(1), 1)
