"""Back-tests of all candidates beside their baselines."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.backtest import TABLES, read_past
from dagster_project.modelling.origins import Plan, plan_backtest
from dagster_project.modelling.scope import Scope
from dagster_project.modelling.scores import score_table

CUTOFF = dt.date(1997, 9, 30)
AS_OF = dt.date(1998, 6, 30)
GRAIN = ["prediction", "model", "cutoff_date", "segment_type", "segment", "score"]


def past_of(cdnow, plan, predictions):
    return read_past(cdnow, plan, "mbg_nbd", predictions, Scope(counts_zero_value_orders=True))


@pytest.fixture(scope="module")
def published(cdnow):
    """The one origin of the published analyses, without lessons."""
    plan = Plan(AS_OF, 273, (CUTOFF,), ())
    trials = past_of(cdnow, plan, ("orders", "net")).trials()
    champions = {"orders": "mbg_nbd", "net": "mbg_nbd*gamma_gamma_all"}
    return score_table(trials, 273, champions)


@pytest.fixture(scope="module")
def nested(cdnow):
    return past_of(cdnow, plan_backtest(dt.date(1997, 1, 1), AS_OF, 91), ("orders", "net"))


def test_cdnow_scores_agree_with_independent_measurements(published):
    by_grain = published.query("segment_type == 'all'").set_index(["prediction", "model", "score"])["score_value"]
    expected = {
        ("orders", "mbg_nbd", "mae"): 0.765,
        ("orders", "mbg_nbd", "rmse"): 1.607,
        ("orders", "mbg_nbd", "total_bias"): -0.162,
        ("orders", "mbg_nbd", "spearman"): 0.450,
        ("orders", "rate_times_time", "mae"): 1.024,
    }
    for grain, measured in expected.items():
        assert by_grain[grain] == pytest.approx(measured, abs=6e-4), grain
    assert by_grain["orders", "zero", "total_bias"] == -1


def test_the_grain_of_the_scores(published):
    assert not published.duplicated(GRAIN).any()
    everybody = published.query("segment_type == 'all'")
    assert set(everybody["model"]) == {*TABLES["orders"], *TABLES["net"]}
    unlearned = everybody.query("model == 'boosted'")
    assert set(unlearned["status"]) == {"not_fitted"}
    assert unlearned["status_reason"].notna().all()
    assert unlearned["score_value"].isna().all()


def test_deciles_and_cohorts_add_up_to_everybody(published):
    rows = published.query("prediction == 'net' and is_champion and score == 'mean_actual'")
    total = {kind: (part["score_value"] * part["count_customers"]).sum() for kind, part in rows.groupby("segment_type")}
    assert total["predicted_decile"] == pytest.approx(total["cohort_month"])
    deciles = rows.query("segment_type == 'predicted_decile'").sort_values("segment")["score_value"]
    assert deciles.iloc[0] > 3 * deciles.iloc[5], "the highest predictions bring most"


def test_origins_learn_from_their_own_past_only(cdnow, nested):
    latest = nested.plan.origins[0]
    as_then = plan_backtest(dt.date(1997, 1, 1), latest, 91)
    assert max(nested.plan.lessons(latest)) + dt.timedelta(days=nested.plan.horizon_days) <= latest
    assert as_then.horizon_days <= nested.plan.horizon_days


def test_what_follows_an_origin_does_not_change_what_it_predicts(cdnow, nested):
    origin = nested.plan.origins[0]
    cut = cdnow.cursor()
    cut.execute("create or replace temp table kept as select * from marts.fct_orders")
    said = nested.trials()["orders"][0]
    try:
        cdnow.execute("update marts.fct_orders set gross_amount = gross_amount * 3 where order_date > ?", [origin])
        cdnow.execute("delete from marts.fct_orders where order_date > ? and hash(order_key) % 2 = 0", [origin])
        again = past_of(cdnow, nested.plan, ("orders", "net")).trials()["orders"][0]
    finally:
        cdnow.execute("delete from marts.fct_orders")
        cdnow.register("kept_rows", cut.execute("select * from kept").to_arrow_table())
        cdnow.execute("insert into marts.fct_orders select * from kept_rows")
    assert again.actual.sum() < said.actual.sum()
    for name, predictions in said.predicted.items():
        assert np.array_equal(predictions, again.predicted[name]), name


def test_every_candidate_is_tried_on_cdnow(nested):
    trials = nested.trials()
    assert set(trials["orders"][0].predicted) == set(TABLES["orders"])
    assert set(trials["net"][0].predicted) == set(TABLES["net"])
    assert all(np.isfinite(said).all() for said in trials["net"][0].predicted.values())


def test_an_empty_plan_has_no_trials(cdnow):
    trials = past_of(cdnow, plan_backtest(AS_OF, AS_OF, 90), ("orders", "net")).trials()
    assert trials == {"orders": [], "net": []}
    empty = score_table(trials, 90, {})
    assert empty.empty
    assert pd.api.types.is_float_dtype(empty["score_value"])
