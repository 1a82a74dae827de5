"""A night of leaving on a shop whose causes of leaving are known: what is learned, said and told."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from talking_shop import FIRST_DAY, empty_marts, play, talking_shop

from dagster_project.modelling.churn import ChurnSettings
from dagster_project.modelling.feature_groups import GROUPS
from dagster_project.modelling.features import customer_features
from dagster_project.modelling.leaving.ablation import ablation
from dagster_project.modelling.leaving.candidates import CANDIDATES
from dagster_project.modelling.leaving.night import leaving_night, scored_customers
from dagster_project.modelling.leaving.reason_words import LANGUAGES, PHRASES
from dagster_project.modelling.leaving.reasons import facts, reasons
from dagster_project.modelling.leaving.trees import CAUSE_OF
from dagster_project.modelling.value_night import Reading

DAYS, SEED = 800, 3
AS_OF = FIRST_DAY + dt.timedelta(days=DAYS - 91)
SETTINGS = ChurnSettings(horizon_days=90)


@pytest.fixture(scope="module")
def played():
    return play(3_000, DAYS, SEED, bad_service_odds=12.0)


@pytest.fixture(scope="module")
def reading(played):
    with talking_shop(played, DAYS, SEED) as connection:
        yield Reading(connection, AS_OF)


@pytest.fixture(scope="module")
def night(reading):
    return leaving_night(reading, SETTINGS)


@pytest.fixture(scope="module")
def told(reading, night):
    rows, why = zip(*scored_customers(reading, night), strict=True)
    return pd.concat(rows, ignore_index=True), pd.concat(why, ignore_index=True)


@pytest.fixture(scope="module")
def active(reading, night):
    features = customer_features(reading.connection, [AS_OF], groups=night.groups).df()
    rows = night.model.score(features)
    return features[rows["is_active"].to_numpy()].reset_index(drop=True)


def number_of(keys: pd.Series) -> np.ndarray:
    return keys.str[1:].astype(int).to_numpy()


def test_groups_are_those_with_facts(night):
    assert [group.name for group in night.groups] == ["feedback", "service", "visits"]


def test_what_bad_service_and_visits_say_is_found_and_answers_say_nothing(night):
    rows = ablation(night.record).set_index("feature_group")
    assert rows.loc[["service", "visits", "all"], "verdict"].tolist() == ["adds"] * 3
    assert rows.loc["feedback", "verdict"] == "nothing"
    assert night.model.champion.startswith("boosted")
    assert night.model.change_trial is None, "who reads feeds is not asked for a change that no feed tells"


def test_without_an_effect_service_adds_nothing():
    """The same shop, whose badly served customers leave like all others."""
    with talking_shop(play(3_000, DAYS, SEED, bad_service_odds=1.0), DAYS, SEED) as connection:
        rows = ablation(leaving_night(Reading(connection, AS_OF), SETTINGS).record).set_index("feature_group")
    assert rows.loc[["service", "feedback"], "verdict"].tolist() == ["nothing"] * 2


def test_probabilities_are_the_true_shares(told, played):
    """Who has left never orders; who has not does by chance within the horizon, at their own rate."""
    rows = told[0][told[0]["is_active"]]
    number, evening = number_of(rows["customer_key"]), (AS_OF - FIRST_DAY).days
    is_gone = played.left_day[number] < evening + 1
    true = np.where(is_gone, 1.0, np.exp(-played.rate[number] * SETTINGS.horizon_days))
    said = rows["probability_no_order"].to_numpy()
    for group in np.array_split(np.argsort(said, kind="stable"), 5):
        gap = true[group].mean() - said[group].mean()
        assert abs(gap) < 0.06, f"{gap:.3f} where {said[group].mean():.2f} was said"


def test_bad_service_is_given_as_a_reason_to_those_it_hit(told, played):
    rows, why = told
    evening = (AS_OF - FIRST_DAY).days
    last = played.orders[played.orders["day"] <= evening].groupby("customer").last()
    active = rows.loc[rows["is_active"], "customer_key"]
    was_bad = last["is_bad"].reindex(number_of(active)).to_numpy()
    raised = set(why.query("cause == 'service' and direction == 'raises'")["customer_key"])
    is_told = active.isin(raised).to_numpy()
    assert is_told[was_bad].mean() > 0.4, "nine in ten of them complained, three causes are told, many came again since"
    assert is_told[~was_bad].mean() < 0.1


def test_contributions_add_up_to_what_is_published(night, active):
    said = night.model.score(active)["probability_no_order"].to_numpy()
    total = sum(night.model.contributions(active).values())
    constant = np.log(said / (1 - said)) - total
    np.testing.assert_allclose(constant, constant.mean(), atol=1e-6)


def test_reasons_are_stable_under_a_refit_a_month_earlier(reading, night, active):
    """The model of a month before, asked of the customers of tonight, ranks causes much alike."""
    before = leaving_night(Reading(reading.connection, AS_OF - dt.timedelta(days=30)), SETTINGS).model
    now, then = night.model.contributions(active), before.contributions(active)
    causes = sorted(set(now) & set(then))
    pairs = [np.stack([one[cause] for cause in causes], axis=1) for one in (now, then)]
    agreement = [stats.spearmanr(*rows).statistic for rows in zip(*pairs, strict=True)]
    assert np.mean(agreement) > 0.7


def test_batches_of_any_size_give_the_same(reading, night, told):
    rows, why = zip(*scored_customers(reading, night, batch_customers=700), strict=True)
    pd.testing.assert_frame_equal(pd.concat(rows, ignore_index=True), told[0], check_exact=True)
    pd.testing.assert_frame_equal(pd.concat(why, ignore_index=True), told[1], check_exact=True)


def test_a_second_night_without_what_followed_is_the_same(reading, night, told):
    connection = reading.connection
    connection.execute("begin")
    for table, day in (("fct_orders", "order_date"), ("fct_visits", "visit_date"), ("fct_feedback", "feedback_date")):
        connection.execute(f"delete from marts.{table} where {day} > $as_of", {"as_of": AS_OF})
    connection.execute("delete from marts.fct_support_contacts where opened_date > $as_of", {"as_of": AS_OF})
    blind = leaving_night(reading, SETTINGS)
    rows, why = zip(*scored_customers(reading, blind), strict=True)
    connection.execute("rollback")
    pd.testing.assert_frame_equal(pd.concat(rows, ignore_index=True), told[0], check_exact=True)
    pd.testing.assert_frame_equal(pd.concat(why, ignore_index=True), told[1], check_exact=True)
    pd.testing.assert_frame_equal(blind.scores, night.scores, check_exact=True)


def test_scores_hold_everyone_and_one_champion(night):
    everyone = night.scores.query("segment_type == 'all'")
    assert set(everyone["model"]) == {"mbg_nbd", *CANDIDATES, "days_since_last_order", "base_rate"}
    assert set(everyone.loc[everyone["is_champion"], "model"]) == {night.model.champion}


def test_no_order_is_asked_of_customers_active_on_the_evening(reading, night):
    trial = night.record.trials("mbg_nbd")[0]
    known = customer_features(reading.connection, [trial.cutoff]).df()
    days_since = known["days_observed"] - known["days_first_to_last_order"]
    assert trial.actual.size == int((days_since < 2 * SETTINGS.horizon_days).sum())
    assert set(trial.actual) == {0.0, 1.0}
    by_base_rate = night.scores.query("model == 'base_rate' and score == 'roc_auc'")["score_value"]
    assert set(by_base_rate) == {0.5}


def test_every_cause_has_words_in_every_language():
    assert set(PHRASES) == set(CAUSE_OF.values()) | {group.name for group in GROUPS}
    for phrases in PHRASES.values():
        assert all(set(phrase.texts) == set(LANGUAGES) for phrase in phrases)
        assert phrases[-1].when == ()
        assert all(phrase.when for phrase in phrases[:-1])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_filled(language, active, night):
    known = facts(active, night.model.rhythm)
    absent = [column for group in GROUPS if group not in night.groups for column in group.columns]
    known |= {column: np.ones(len(active)) for column in absent}
    for phrases in PHRASES.values():
        for phrase in phrases:
            shown = {column: values[0] for column, values in known.items()}
            assert "{" not in phrase.texts[language].format(**shown)


def test_a_shop_without_history_is_told_shares_and_no_reasons():
    with empty_marts() as connection:
        connection.execute(
            "insert into marts.fct_orders"
            " select i, i, date '2025-01-01', 5, null, 'web', 1, null, null from range(9) t(i)"
        )
        reading = Reading(connection, dt.date(2025, 3, 1))
        night = leaving_night(reading, SETTINGS)
        [(rows, why)] = scored_customers(reading, night)
    assert set(rows["status"]) == {"insufficient_data"}
    assert rows["status_reason"].notna().all()
    assert why.empty
    assert ablation(night.record).empty
    assert night.scores.empty
    assert reasons(night.model, pd.DataFrame()).columns.tolist() == why.columns.tolist()
