"""Drift: a hand-computed index, slopes of another library, and a shop whose customers change."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression

from dagster_project.modelling.ledger.drift import calibration_slope, is_off, level_of, model_drift, stability_index


def test_the_index_by_hand():
    then = np.arange(1_000.0)
    now = np.sort(np.concatenate((np.arange(0, 500.0), np.arange(0, 500.0))))
    # five tenths hold twice their tenth, five nothing, which counts as half a customer
    full, empty = 0.2, 0.0005
    expected = 5 * (full - 0.1) * np.log(full / 0.1) + 5 * (empty - 0.1) * np.log(empty / 0.1)
    assert stability_index(then, now) == pytest.approx(expected, rel=0.02)
    assert stability_index(then, then) == 0
    assert stability_index(then, now[:99]) is None


def test_the_slope_is_that_of_another_library():
    rng = np.random.default_rng(2)
    odds = rng.normal(0, 1.5, 200)
    said = 1 / (1 + np.exp(-odds))
    happened = (rng.random((200, 50)) < 1 / (1 + np.exp(-0.5 * odds + 0.3))[:, None]).sum(axis=1)
    slope, error = calibration_slope(said * 50, happened.astype(float), np.full(200, 50.0))
    design, outcome = (
        np.repeat(odds, 50)[:, None],
        np.concatenate([np.r_[np.ones(k), np.zeros(50 - k)] for k in happened]),
    )
    peer = LogisticRegression(C=np.inf, tol=1e-10).fit(design, outcome)
    assert slope == pytest.approx(peer.coef_[0, 0], abs=1e-4)
    assert abs(slope - 0.5) < 3 * error < 0.1


def test_the_level_is_that_of_an_equation():
    """The level is the shift by which as many are expected as came."""
    said, count = np.array([0.2, 0.5, 0.7]), np.array([300.0, 500.0, 200.0])
    happened = np.array([80.0, 280.0, 150.0])
    odds = np.log(said / (1 - said))
    expected = brentq(lambda shift: (count / (1 + np.exp(-odds - shift))).sum() - happened.sum(), -3, 3)
    level, error = level_of(said * count, happened, count)
    assert level == pytest.approx(expected)
    chance = 1 / (1 + np.exp(-odds - expected))
    assert error == pytest.approx((count * chance * (1 - chance)).sum() ** -0.5)
    assert level_of(said, np.zeros(3), count) is None


@pytest.mark.parametrize(
    ("measure", "drift", "error", "rings"),
    [
        ("calibration_slope", 0.7, 0.1, True),
        ("calibration_slope", 0.7, 0.2, False),
        ("calibration_slope", 0.85, 0.01, False),
        ("calibration_level", -0.3, 0.09, True),
        ("calibration_level", 0.3, 0.11, False),
        ("calibration_level", 0.19, 0.01, False),
    ],
)
def test_an_alarm_is_beyond_its_limits_and_beyond_chance(measure, drift, error, rings):
    assert is_off(measure, drift, error) == rings


@pytest.mark.parametrize(
    ("predicted", "happened"), [([50.0, 50.0], [40.0, 60.0]), ([10.0, 90.0], [0.0, 0.0]), ([10.0, 90.0], [0.0, 100.0])]
)
def test_no_slope_where_nothing_determines_it(predicted, happened):
    assert calibration_slope(np.array(predicted), np.array(happened), np.array([100.0, 100.0])) is None


def test_a_steady_shop_is_quiet_and_a_changed_one_rings(night):
    con, evenings = night.reading.connection, list(night.evenings)
    quiet = night.drift.query("measure != 'calibration_slope'")
    assert quiet["measure"].value_counts().to_dict() == {
        "calibration_level": 4,
        "psi_of_prediction": 2,
        "psi_of_input": 1,
    }
    assert not quiet["is_alarming"].any()
    con.execute("begin")
    con.execute(
        "update ledger_predictions set orders_predicted = orders_predicted * 3 where predicted_date = ?", [evenings[-1]]
    )
    changed = model_drift(con, evenings, night.reading.as_of).set_index("subject")
    con.execute("rollback")
    assert changed.loc["orders_predicted", "is_alarming"]
    assert not changed.loc["days_since_last_order", "is_alarming"]
