"""Exponentials and logarithms of the inner loops against NumPy's."""

import numpy as np
import pytest

from dagster_project.modelling import compiled as machine
from dagster_project.modelling.compiled import compiled
from dagster_project.modelling.vector_math import exp_of_negative, log1p_of_share, log_of_positive


@compiled
def applied(numbers, which):
    result = np.empty_like(numbers)
    for i in range(numbers.size):
        if which == 0:
            result[i] = exp_of_negative(numbers[i])
        elif which == 1:
            result[i] = log1p_of_share(numbers[i])
        else:
            result[i] = log_of_positive(numbers[i])
    return result


def test_exponential_of_negative_numbers():
    exponents = np.concatenate((-np.geomspace(1e-300, 700, 20_000), [0.0], -np.linspace(0, 700, 50_001)))
    np.testing.assert_allclose(applied(exponents, 0), np.exp(exponents), rtol=5e-16)
    assert applied(np.array([-1e9, -np.inf]), 0).tolist() == pytest.approx([np.exp(-700.0)] * 2)


def test_log1p_of_shares():
    shares = np.concatenate((np.geomspace(1e-300, 1, 20_000), [0.0], np.linspace(0, 1, 50_001)))
    np.testing.assert_allclose(applied(shares, 1), np.log1p(shares), rtol=7e-16)


def test_logarithm_of_positive_numbers():
    numbers = np.concatenate((np.geomspace(1e-300, 1e300, 50_001), 1 + np.linspace(-0.6, 0.6, 50_001)))
    np.testing.assert_allclose(applied(numbers, 2), np.log(numbers), rtol=3e-16, atol=2e-16)


def test_loop_is_compiled_where_no_cache_can_be_kept(monkeypatch):
    real = machine.njit

    def without_a_cache(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(machine, "njit", without_a_cache)
    doubled = compiled(lambda number: 2 * number)
    assert doubled(21) == 42
