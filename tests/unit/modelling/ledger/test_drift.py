"""Drift: a hand-computed index, slopes of another library, and a shop whose customers change."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import ks_2samp, norm
from sklearn.linear_model import LogisticRegression

from dagster_project.modelling.ledger.calibration import (
    Measured,
    Usual,
    calibration_slope,
    is_off,
    level_of,
    level_spread,
    usual_slope,
)
from dagster_project.modelling.ledger.drift import (
    DISTANCES,
    GREAT_KS,
    GREAT_KS_OF_ANY_SEASON,
    GREAT_PSI,
    GREAT_PSI_OF_ANY_SEASON,
    SUBJECTS,
    largest_distance,
    model_drift,
    stability_index,
)
from dagster_project.modelling.ledger.evenings import CALIBRATION_DAYS
from dagster_project.modelling.ledger.predictions import OF_CUSTOMER

AN_EVENING = dt.date(2024, 6, 30)


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
    ("measure", "drift", "error", "usual", "rings"),
    [
        ("calibration_slope", 0.7, 0.1, (1.0, 0.0), True),
        ("calibration_slope", 0.7, 0.2, (1.0, 0.0), False),
        ("calibration_slope", 0.7, 0.1, (0.8, 0.0), False),
        ("calibration_slope", 0.7, 0.1, (1.0, 0.2), False),
        ("calibration_slope", 0.85, 0.01, (1.2, 0.0), False),
        ("calibration_level", -0.3, 0.09, (0.0, 0.0), True),
        ("calibration_level", 0.3, 0.11, (0.0, 0.0), False),
        ("calibration_level", 0.3, 0.05, (0.0, 0.2), False),
        ("calibration_level", 0.7, 0.05, (0.0, 0.2), True),
        ("calibration_level", 0.19, 0.01, (0.0, 0.0), False),
    ],
)
def test_an_alarm_is_far_and_a_surprise(measure, drift, error, usual, rings):
    assert is_off(measure, drift, error, Usual(*usual)) == rings


def test_a_usual_slope_varies_beyond_chance_as_by_hand():
    earlier = [Measured(AN_EVENING, slope, 0.1) for slope in (1.0, 1.2, 1.6)]
    centre, spread = usual_slope(earlier)
    between = 0.28 / 3 - 0.01  # the variance of the three less that of chance
    assert centre == pytest.approx(3.8 / 3)
    assert spread == pytest.approx((between + (between + 0.01) / 3) ** 0.5)
    alike = [Measured(AN_EVENING, 1.2, 0.1)] * 4
    assert usual_slope(alike) == pytest.approx((1.2, 0.05)), "what varies by less than chance leaves that of the mean"
    assert usual_slope(earlier[:2]) == (1.0, 0.0), "two are too few"


def test_the_spread_of_a_level_is_what_wrong_orders_make():
    """Everybody's orders are a tenth more than said; the level that is found is the claimed one."""
    said, count = np.array([0.2, 0.5, 0.9]), np.array([4e4, 5e4, 6e4])
    came = said**1.1  # exp(-1.1 m)
    level, _ = level_of(said * count, came * count, count)
    assert level_spread(said * count, count, np.log(1.1)) == pytest.approx(-level, rel=0.05)


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
        "psi_of_prediction": 3,
        "ks_of_prediction": 3,
        "psi_of_input": 4,
        "ks_of_input": 4,
    }
    assert not quiet["is_alarming"].any()
    con.execute("begin")
    con.execute(
        "update ledger_predictions set orders_predicted = orders_predicted * 3 where predicted_date = ?", [evenings[-1]]
    )
    changed = model_drift(con, evenings, night.reading.as_of).set_index(["measure", "subject"])
    con.execute("rollback")
    assert changed.loc[("psi_of_prediction", "orders_predicted"), "is_alarming"]
    assert changed.loc[("ks_of_prediction", "orders_predicted"), "is_alarming"]
    assert not changed.xs("days_since_last_order", level="subject")["is_alarming"].any()


@pytest.mark.parametrize(
    ("subject", "change"),
    [
        ("count_repeat_occasions", "count_repeat_occasions + 5"),
        ("observed_share", "observed_share / 3"),
        ("mean_occasion_net", "mean_occasion_net * 100"),
        ("net_predicted", "net_predicted * 100"),
    ],
)
def test_what_models_are_told_and_the_money_that_they_say_ring_alone(night, subject, change):
    con, evenings = night.reading.connection, list(night.evenings)
    con.execute("begin")
    con.execute(f"update ledger_predictions set {subject} = {change} where predicted_date = ?", [evenings[-1]])
    changed = model_drift(con, evenings, night.reading.as_of).query("is_alarming")
    con.execute("rollback")
    assert set(changed["subject"]) == {subject}
    assert set(changed["measure"].str[:3]) == {"psi", "ks_"}


@pytest.mark.parametrize("seed", range(3))
def test_the_largest_distance_is_that_of_another_library(seed):
    rng = np.random.default_rng(seed)
    then, now = np.sort(rng.normal(size=150)).round(1), np.sort(rng.normal(0.3, size=400)).round(1)  # with ties
    assert largest_distance(then, now) == pytest.approx(ks_2samp(then, now).statistic, abs=1e-12)
    assert largest_distance(then, now[:99]) is None


def test_half_a_deviation_is_a_great_change_in_either_measure():
    steps = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    assert largest_distance(steps, steps + 0.5) == pytest.approx(GREAT_KS, abs=0.005)
    assert stability_index(steps, steps + 0.5) == pytest.approx(GREAT_PSI, abs=0.02)
    assert largest_distance(steps, steps + 1) == pytest.approx(GREAT_KS_OF_ANY_SEASON, abs=0.005)
    assert stability_index(steps, steps + 1) == pytest.approx(GREAT_PSI_OF_ANY_SEASON, rel=0.1)


def test_the_limits_leave_chance_its_part():
    rng = np.random.default_rng(5)
    rung = dict.fromkeys(DISTANCES, 0)
    for _ in range(500):
        then, now = np.sort(rng.exponential(size=120)), np.sort(rng.exponential(size=120))
        for name, (distance, limit) in DISTANCES.items():
            rung[name] += distance(then, now) > limit(then, now)
    assert all(count <= 5 for count in rung.values()), rung


YEAR = [dt.date(2023, 12, 31), *(dt.date(2024, month, 28) for month in range(1, 12)), dt.date(2024, 12, 31)]


@pytest.mark.parametrize(("is_season", "rings"), [(True, False), (False, True)])
def test_a_season_that_comes_each_year_is_no_drift(is_season, rings):
    rng = np.random.default_rng(3)
    with duckdb.connect() as con:
        con.execute(
            "create table ledger_predictions (predicted_date date, horizon_days integer, part varchar, "
            f"is_active boolean, {', '.join(f'{subject} double' for subject in SUBJECTS)}, orders_level_error double)"
        )
        con.execute(
            "create table ledger_sums (predicted_date date, tenth integer, prediction varchar, horizon_days integer, "
            "is_baseline boolean, count_rows bigint, predicted double, outcome double)"
        )
        for place, evening in enumerate(YEAR):
            is_winter = place == len(YEAR) - 1 or (place == 0 and is_season)
            drawn = rng.exponential(60 if is_winter else 20, 800)
            people = pd.DataFrame({"days": drawn})  # noqa: F841 - read by the query
            con.execute(
                "insert into ledger_predictions by name "
                f"select cast(? as date) as predicted_date, {CALIBRATION_DAYS} as horizon_days, "
                f"'{OF_CUSTOMER}' as part, true as is_active, days as days_since_last_order from people",
                [evening],
            )
        last = model_drift(con, YEAR, YEAR[-1]).query(
            "predicted_date == @YEAR[-1] and subject == 'days_since_last_order'"
        )
    assert len(last) == 2
    assert (last["drift"] > 0.35).all()
    assert last["is_alarming"].eq(rings).all()
    assert ((last["drift_since_last_year"] < 0.1) == is_season).all()
