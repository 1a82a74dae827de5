"""Pareto/NBD's integral against 30 digits, and its predictions where closed forms break down."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from dagster_project.modelling.btyd import ParetoNBD, pareto_loops

REFERENCES = Path(__file__).parent / "references" / "integrals.json"


def test_integral_agrees_with_thirty_digits():
    p, q, alpha, beta, start, end, expected = np.array(json.loads(REFERENCES.read_text())).T
    rows = [np.array([column]) for column in p], [np.array([column]) for column in start], [np.array([e]) for e in end]
    ours = [
        pareto_loops.falls(power, other, a, b, begin, finish)[0]
        for power, other, a, b, begin, finish in zip(rows[0], q, alpha, beta, rows[1], rows[2], strict=True)
    ]
    np.testing.assert_allclose(ours, expected, rtol=2e-12)


@pytest.mark.parametrize("s", [0.3, 1.0, 1.0 + 1e-9, 4.0])
@pytest.mark.parametrize("history", [(0, 0, 0), (2, 30.43, 38.86), (400, 39, 40)])
def test_expected_purchases_agree_with_quadrature(s, history):
    x, _, age = history
    known = ParetoNBD.from_params(0.55, 10.6, s, 11.7)
    for horizon in (0.01, 39.0, 5_000.0):
        stays = quad(lambda u: ((11.7 + age) / (11.7 + age + u)) ** s, 0, horizon, epsabs=0, epsrel=1e-11, limit=200)[0]
        expected = known.probability_alive(*history) * (0.55 + x) / (10.6 + age) * stays
        assert known.expected_purchases(*history, horizon) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("alpha", "beta"), [(1e-3, 500.0), (500.0, 1e-3), (8.0, 8.0), (8.0, 8.0 + 1e-9)])
def test_far_tails_stay_probabilities(alpha, beta):
    known = ParetoNBD.from_params(0.5, alpha, 0.6, beta)
    histories = ([0, 1, 10_000, 10_000], [0, 1e-9, 900.0, 1e-3], [1e7, 1e7, 900.0, 1e7])
    alive, no_purchase = known.probability_alive(*histories), known.probability_no_purchase(*histories, 30.0)
    assert ((alive >= 0) & (alive <= 1)).all()
    assert alive[2] == 1
    assert alive[3] < 1e-12
    assert ((no_purchase >= 1 - alive - 1e-12) & (no_purchase <= 1)).all()
