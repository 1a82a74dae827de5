"""Season and level of orders on shops whose season is known, on the published CDNOW sample, and the gates."""

import datetime as dt
import json

import numpy as np
import pytest

from dagster_project.modelling.btyd import ModifiedBetaGeo
from dagster_project.modelling.level.activity import repeat_activity
from dagster_project.modelling.level.foreseen import Foreseen
from dagster_project.modelling.level.orders import fit_orders_level
from dagster_project.modelling.maximum_likelihood import DidNotConverge

HORIZON = 91


def _season(day):
    """High in the 91 days after day 730, low half a year before: their mean factor is 1.36."""
    return 1 + 0.4 * np.cos(2 * np.pi * (day - 776) / 365.25)


def test_season_is_found_and_the_total_put_right(simulated):
    for seed in (1, 2):
        shop = simulated(_season, seed=seed)
        level = shop.level()
        plain = abs(shop.log_miss(ModifiedBetaGeo.fit(*shop.histories)))
        error = np.hypot(float(level.foreseen.log_error(HORIZON)), 1 / np.sqrt(shop.orders_ahead))
        assert plain > 0.25
        assert abs(shop.log_miss(level.model)) < min(2 * error, plain / 2)
        truth = np.log(_season(730 + np.arange(HORIZON) + 0.5).mean())
        assert np.log(level.foreseen.factor(HORIZON)) == pytest.approx(truth, abs=2 * error)


def test_season_lets_the_parameters_be_those_of_the_shop(simulated):
    shop = simulated(_season, days=1_095, customers=6_000)
    found = shop.level().model.model
    z = (np.log(found.params_.r) - np.log(0.8)) / np.sqrt(found.log_covariance_[0, 0])
    assert abs(z) < 3
    mean_rate = found.params_.r / found.params_.alpha
    assert mean_rate == pytest.approx(0.8 / 60, rel=0.12)


def test_nothing_planted_leaves_the_factor_at_one_within_its_error(simulated):
    for seed in (1, 2, 3):
        shop = simulated(seed=seed)
        foreseen = shop.level().foreseen
        assert abs(np.log(foreseen.factor(HORIZON))) < 2 * foreseen.log_error(HORIZON)
        assert abs(np.log(foreseen.factor(HORIZON))) < 0.08


def test_fall_in_sales_is_foreseen_as_a_level(simulated):
    shop = simulated(lambda day: np.where(day < 640, 1.0, 0.65), customers=6_000)
    level = shop.level()
    assert level.foreseen.level[0] < -0.03
    assert abs(shop.log_miss(level.model)) < shop.log_miss(ModifiedBetaGeo.fit(*shop.histories))


def test_young_shop_is_left_alone(simulated):
    shop = simulated(_season, days=364)
    level = shop.level()
    assert level.foreseen.is_gated
    assert "364 days" in level.foreseen.reason
    assert level.model is None
    assert level.foreseen.factor([30, 91, 365]) == pytest.approx([1, 1, 1])
    assert 0.05 < level.foreseen.log_error(HORIZON) < 0.2

    assert level.clock.histories(5, 20) == (5, 20)


def test_a_young_shop_is_less_sure_the_further_it_looks_beyond_its_history(simulated):
    half, year = (simulated(days=days).level().foreseen.log_error([28, 182, 365]) for days in (180, 360))
    season_and_level = Foreseen.gated("nothing is extrapolated").log_error([28, 182, 365])
    assert half == pytest.approx(np.hypot(season_and_level, 0.2 * np.array([28 / 180, 1, 1])), rel=0.02)
    assert (year[:2] < half[:2]).all()
    assert year[2] == pytest.approx(half[2], rel=0.02)


def test_shop_with_few_repeats_is_left_alone(simulated):
    level = simulated(customers=25).level()
    assert level.foreseen.is_gated
    assert "a level needs 100" in level.foreseen.reason


def test_empty_shop_is_left_alone(marts):
    nobody = (np.zeros(0),) * 3
    level = fit_orders_level(repeat_activity(marts([]), dt.date(2026, 1, 1)), ModifiedBetaGeo, *nobody)
    assert level.foreseen.is_gated


def test_model_that_does_not_converge_leaves_the_shop_alone(simulated):
    class Stubborn:
        @classmethod
        def fit(cls, *histories):
            raise DidNotConverge("no maximum")

    shop = simulated()
    level = fit_orders_level(repeat_activity(shop.connection, shop.as_of), Stubborn, *shop.histories)
    assert level.foreseen.is_gated
    assert "no maximum" in level.foreseen.reason


def test_level_is_the_same_for_counted_histories_in_any_order(simulated):
    shop = simulated(_season, customers=2_000)
    activity = repeat_activity(shop.connection, shop.as_of)
    one = fit_orders_level(activity, ModifiedBetaGeo, *shop.histories)
    distinct, count = np.unique(np.stack(shop.histories)[:, ::-1], axis=1, return_counts=True)
    other = fit_orders_level(activity, ModifiedBetaGeo, *distinct, count_customers=count)
    assert other.foreseen.factor(HORIZON) == pytest.approx(float(one.foreseen.factor(HORIZON)), rel=1e-6)


def test_level_can_be_written_as_json_and_says_where_it_came_from(simulated):
    level = simulated(_season).level()
    written = json.loads(json.dumps(level.to_dict()))
    assert written["clock"]["ahead_rates"] == pytest.approx(np.exp(level.foreseen.season + level.foreseen.level))
    assert set(written["sizes"]) == {"season", "level", "age", "cohort", "shock", "noise"}
    assert written["is_gated"] is False


def test_cdnow_before_its_first_anniversary_is_left_alone(cdnow, cdnow_history):
    columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
    histories = (cdnow_history[name].to_numpy(dtype=float) for name in columns)
    activity = repeat_activity(cdnow, dt.date(1997, 9, 30), counts_zero_value_orders=True)
    assert fit_orders_level(activity, ModifiedBetaGeo, *histories).foreseen.is_gated
