"""The ledger of a drawn shop: a function of what was known, graded with what followed."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hold_out import future_purchases
from ledger_shop import AS_OF, SETTINGS, as_frame
from sklearn.metrics import brier_score_loss, roc_auc_score

from dagster_project.modelling.ledger.kept import Kept
from dagster_project.modelling.ledger.night import ledger_night
from dagster_project.modelling.value_night import Reading

EVENINGS = [dt.date(2024, 8, 31), dt.date(2024, 9, 30), dt.date(2024, 10, 31), dt.date(2024, 11, 30)]
AMOUNTS = ["predicted", "low_80", "high_80", "outcome", "error"]


def test_it_holds_the_last_month_ends(night, ledger):
    assert list(night.evenings) == EVENINGS
    assert sorted(ledger["predicted_date"].dt.date.unique()) == EVENINGS
    customers = ledger[(ledger["part"] == "customer") & (ledger["prediction"] == "orders")]
    assert set(customers.groupby(["predicted_date", "horizon_days"])["customer_key"].nunique()) == {300}


def test_a_prediction_is_scored_when_its_horizon_has_ended(ledger):
    has_ended = ledger["due_date"].dt.date <= AS_OF
    assert set(ledger.loc[has_ended, "status"]) == {"scored"}
    assert set(ledger.loc[~has_ended, "status"]) == {"open"}
    assert ledger.loc[~has_ended, ["outcome", "error"]].isna().all().all()
    assert set(ledger.loc[has_ended, "horizon_days"]) == {30, 90}


def test_outcomes_are_what_the_customers_bought(open_shop, ledger):
    evening = EVENINGS[0]
    bought = future_purchases(open_shop(), evening, evening + dt.timedelta(days=90)).set_index("customer_key")
    rows = ledger.query("prediction == 'net' and part == 'customer' and horizon_days == 90 and status == 'scored'")
    rows = rows[rows["predicted_date"].dt.date == evening]
    expected = bought["total_net"].reindex(rows["customer_key"]).fillna(0).to_numpy()
    np.testing.assert_allclose(rows["outcome"], expected, atol=1e-9)
    assert (expected > 0).sum() > 50


def test_the_shop_is_the_sum_of_all_its_customers(open_shop, ledger):
    evening, con = pd.Timestamp(EVENINGS[0]), open_shop()
    known = con.execute(
        "select distinct customer_key from marts.fct_orders where order_date <= ?", [evening.date()]
    ).df()
    bought = future_purchases(con, evening.date(), evening.date() + dt.timedelta(days=90))
    bought = bought[bought["customer_key"].isin(known["customer_key"])]
    [row] = (
        ledger.query("part == 'existing_customers' and prediction == 'orders' and horizon_days == 90")
        .query("predicted_date == @evening")
        .to_dict("records")
    )
    # whose only order was returned before the evening, is no customer on it
    assert row["outcome"] == pytest.approx(bought["count_occasions"].sum(), rel=0.01)
    assert row["low_80"] < row["predicted"] < row["high_80"]


@pytest.mark.parametrize("cutoff", [dt.date(2024, 10, 31)])
def test_what_comes_later_changes_no_row(open_shop, night, ledger, cutoff):
    con = open_shop()
    # dates, customers and amounts of everything later change places, half of it goes
    con.execute(
        """
        create table shuffled as
        with later as (
            select *, row_number() over (order by order_key) as place,
                row_number() over (order by md5(order_key)) as other
            from marts.fct_orders where order_date > $cutoff
        )
        select later.order_key || 's' as order_key, others.customer_key, later.order_date, others.gross_amount * 3
            as gross_amount, null::varchar as exclusion_reason, 'shop' as channel, 9::bigint as count_units
        from later inner join later as others on later.place = others.other
        where later.place % 2 = 0
    """,
        {"cutoff": cutoff},
    )
    con.execute("delete from marts.fct_orders where order_date > ?", [cutoff])
    con.execute("insert into marts.fct_orders by name from shuffled")
    con.execute("delete from marts.fct_refunds where refund_date > ?", [cutoff])
    before = as_frame(ledger_night(Reading(open_shop(), cutoff), SETTINGS))
    after = as_frame(ledger_night(Reading(con, cutoff), SETTINGS))
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    # and seen from a later night, the same predictions stand, and the same grades where they were given
    again = ledger.merge(before, on=["predicted_date", "prediction", "horizon_days", "part", "customer_key"])
    assert len(again) > 1_000
    np.testing.assert_array_equal(again["predicted_x"], again["predicted_y"])
    np.testing.assert_array_equal(again["high_80_x"], again["high_80_y"])
    graded = again["status_y"] == "scored"
    np.testing.assert_array_equal(again.loc[graded, "outcome_x"], again.loc[graded, "outcome_y"])
    assert graded.sum() > 500


def test_kept_evenings_give_the_same_ledger_as_none(open_shop, night, ledger, tmp_path):
    folder = tmp_path / "ledger"
    first = ledger_night(Reading(open_shop(), AS_OF), SETTINGS, Kept(folder))
    assert first.count_made == len(EVENINGS) + 3, "the first evenings are calibrated on earlier ones"
    files = sorted(folder.iterdir())
    files[0].write_bytes(b"torn")
    (folder / "2020-01-31_unused.parquet").write_bytes(b"of another day")
    again = ledger_night(Reading(open_shop(), AS_OF), SETTINGS, Kept(folder))
    assert again.count_made == 2, "the torn one, and the one that it is calibrated on"
    assert sorted(folder.iterdir()) == files
    for one in (first, again):
        pd.testing.assert_frame_equal(as_frame(one), ledger, check_exact=True)
        pd.testing.assert_frame_equal(one.scores, night.scores, check_exact=True)


def test_a_change_of_what_was_known_is_predicted_anew(open_shop, tmp_path):
    con, two_evenings = open_shop(), replace(SETTINGS, count_evenings=2)
    assert ledger_night(Reading(con, AS_OF), two_evenings, Kept(tmp_path)).count_made == 4, "two are calibrated on"
    con.execute("update marts.fct_orders set gross_amount = gross_amount + 1 where order_date = '2024-11-12'")
    assert ledger_night(Reading(con, AS_OF), two_evenings, Kept(tmp_path)).count_made == 2, "it, and its calibration"
    assert ledger_night(Reading(con, AS_OF), two_evenings, Kept(tmp_path), "other code").count_made == 4


def test_scores_are_those_of_another_library(night, ledger):
    evening = pd.Timestamp(EVENINGS[0])
    scores = night.scores.query("predicted_date == @evening and horizon_days == 90 and segment_type == 'all'")
    of = scores.query("not is_baseline").set_index(["part", "prediction", "score"])["score_value"]
    con = night.reading.connection
    rows = con.execute(
        """
        select predictions.*, outcomes.orders, outcomes.net
        from ledger_predictions as predictions
        inner join ledger_outcomes as outcomes using (predicted_date, horizon_days, part, customer_key)
        where predicted_date = ? and horizon_days = 90 and is_followed
    """,
        [evening],
    ).df()
    active = rows[rows["is_active"]]
    stayed_away = active["orders"] == 0
    assert of["customer", "no_order", "roc_auc"] == pytest.approx(
        roc_auc_score(stayed_away, active["no_order_predicted"])
    )
    assert of["customer", "no_order", "brier"] == pytest.approx(
        brier_score_loss(stayed_away, active["no_order_predicted"])
    )
    error = rows["orders"] - rows["orders_predicted"]
    assert of["customer", "orders", "wape"] == pytest.approx(error.abs().sum() / rows["orders"].sum())
    assert of["customer", "orders", "rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert of["customer", "orders", "total_bias"] == pytest.approx(
        rows["orders_predicted"].sum() / rows["orders"].sum() - 1
    )
    held = ledger.query("predicted_date == @evening and horizon_days == 90 and prediction == 'net'")
    held = held[held["part"] == "customer"]["is_covered"].astype(float)
    assert of["customer", "net", "coverage_80"] == pytest.approx(held.mean())
    recency = scores.query("model == 'days_since_last_order' and score == 'roc_auc'")["score_value"].item()
    assert recency == pytest.approx(roc_auc_score(stayed_away, active["days_since_last_order"]))


def test_tenths_hold_everybody_once(night):
    tenths = night.scores.query("segment_type == 'predicted_tenth' and score == 'mean_outcome' and not is_baseline")
    wholes = night.scores.query(
        "segment_type == 'all' and score == 'mean_outcome' and not is_baseline and part == 'customer'"
    )
    wholes = wholes[wholes["predicted_date"].isna()]
    names = ["prediction", "horizon_days", "model"]
    counts = tenths.groupby(names)["count_customers"].sum()
    pd.testing.assert_series_equal(counts, wholes.set_index(names)["count_customers"].sort_index(), check_names=False)


def test_probabilities_are_calibrated_and_beat_the_rules_of_thumb(night):
    scores = night.scores.query("prediction == 'no_order' and segment_type == 'all' and horizon_days == 90")
    scores = scores[scores["predicted_date"].isna()].set_index(["model", "score"])["score_value"]
    assert scores["mbg_nbd", "mean_predicted"] == pytest.approx(scores["mbg_nbd", "mean_outcome"], abs=0.05)
    for rule in ("same_as_last_period", "rate_times_time", "cohort_mean"):
        assert scores["mbg_nbd", "brier"] < scores[rule, "brier"]


def test_a_shop_without_orders_or_with_too_few_has_an_empty_ledger(marts):
    for orders in ([], [("o", "c", dt.date(2023, 1, 1), "5.00", None)]):
        found = ledger_night(Reading(marts(orders), AS_OF), SETTINGS)
        assert found.evenings == ()
        assert found.scores.empty
        assert list(found.rows()) == []
