"""2F1 where SciPy overflows, against Euler's integral."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import beta

from dagster_project.modelling.hypergeometric import hypergeometric


@pytest.mark.parametrize("third", [99.5, 99.50001, 3.0, 1001.5])
@pytest.mark.parametrize("z", [0.2, 0.95, 0.9999])
def test_hypergeometric_agrees_with_the_integral_of_euler(third, z):
    def integrand(t):
        return t ** (1.0 - 1) * (1 - t) ** (third - 1.0 - 1) * (1 - z * t) ** 0.5

    expected = quad(integrand, 0, 1, limit=200, epsabs=0, epsrel=1e-11)[0] / beta(1.0, third - 1.0)
    ours = hypergeometric(*(np.array([side]) for side in (-0.5, 1.0, third, z)))
    assert ours[0] == pytest.approx(expected, rel=1e-8)
