"""What the simulated customers say follows what is planted: who is asked, who answers, who writes, who is answered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
from drawn_shop import PLAN, SIGMAS, assert_share, block_of, column, feed, truth, with_voice
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.sources.simulated_shop import office_hours
from dagster_project.sources.simulated_shop.people import LANGUAGES, NEVER
from dagster_project.sources.simulated_shop.purchases import GUEST
from dagster_project.sources.simulated_shop.voice import mentions, support, surveys, texts
from dagster_project.sources.simulated_shop.voice.moods import moods_of, order_moods, scores, theme_weights
from dagster_project.sources.simulated_shop.voice.phrases import THEMES
from dagster_project.sources.simulated_shop.voice.plan import Moods
from dagster_project.sources.simulated_shop.voice.questions import QUESTIONS, RELATIONSHIP, ROTATING, TRANSACTIONAL
from dagster_project.sources.tables import SourceError

VOICE = PLAN.voice
DAY = 86_400


def net_promoters(score: np.ndarray) -> np.ndarray:
    return (score >= 9).astype(int) - (score <= 6)


# -- surveys -------------------------------------------------------------------------------------------------------


@given(
    asked=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), max_size=40),
    throttle=st.integers(1, 20),
)
def test_nobody_is_asked_again_too_soon(asked: list[tuple[int, int]], throttle: int) -> None:
    asked = sorted(asked, key=lambda one: one[1])
    last: dict[int, int] = {}
    expected = []
    for person, second in asked:
        held = person in last and second - last[person] < throttle
        expected.append(held)
        if not held:
            last[person] = second
    person, second = (np.array([one[place] for one in asked], dtype=np.int64) for place in (0, 1))
    assert surveys.spared(person, second, throttle).tolist() == expected


def test_relationship_waves_are_quarterly_and_ask_the_planned_share_of_recent_customers() -> None:
    days = surveys.waves(PLAN)
    assert set(np.diff(list(days.values()))) <= {89, 90, 92}
    assert all(name[4:6] == "-Q" for name in days)
    block, bought = block_of(), block_of().purchases
    invited = surveys.draw_invitations(block)
    in_wave = invited.survey == surveys.RELATIONSHIP
    day = list(days.values())[6]
    counts = (bought.account != GUEST) & (block.fulfilment.fate == 0)
    recent = np.unique(bought.person[counts & (bought.day < day) & (bought.day >= day - 365)])
    asked = invited.person[in_wave & (invited.second // DAY >= day) & (invited.second // DAY < day + 3)]
    assert set(asked) <= set(recent)
    assert_share(np.isin(recent, asked), VOICE.surveys.relationship_share)


def test_invitations_reach_all_but_the_throttled_and_those_with_a_dead_address() -> None:
    invited = surveys.draw_invitations(block_of())
    bounced = np.unique(invited.person[invited.status == surveys.BOUNCED])
    delivered = np.unique(invited.person[invited.status == surveys.DELIVERED])
    assert not set(bounced) & set(delivered)
    reached_or_not = np.union1d(bounced, delivered)
    assert_share(np.isin(reached_or_not, bounced), VOICE.surveys.bounced_share)
    assert not (invited.is_answered & (invited.status != surveys.DELIVERED)).any()


def test_raw_nps_is_too_good_by_the_planted_amount() -> None:
    """With everybody's score and chance to answer known, the expectation of the raw score is known too."""
    told = truth("invitations").filter(pc.equal(truth("invitations")["status"], "delivered"))
    band = net_promoters(column(told, "nps_score"))
    chance = column(told, "chance_to_answer")
    answered = column(told, "is_answered") | column(told, "is_answered_later")
    assert_share(answered, chance)
    expected_bias = 100 * ((chance * band).sum() / chance.sum() - band.mean())
    raw = 100 * band[answered].mean()
    error = 100 * band[answered].std() / np.sqrt(answered.sum())
    assert expected_bias > 5
    assert abs(raw - 100 * band.mean() - expected_bias) <= SIGMAS * error


def test_raw_nps_is_right_when_answering_depends_on_nothing() -> None:
    even = with_voice(surveys=replace(VOICE.surveys, satisfaction_log_odds=0.0, tenure_log_odds=0.0))
    told = truth("invitations", even).filter(pc.equal(truth("invitations", even)["status"], "delivered"))
    band, answered = net_promoters(column(told, "nps_score")), column(told, "is_answered")
    assert set(column(told, "chance_to_answer").round(6)) == {VOICE.surveys.answer_share}
    error = 100 * band[answered].std() / np.sqrt(answered.sum())
    assert abs(100 * (band[answered].mean() - band.mean())) <= SIGMAS * error


def test_the_long_standing_answer_more_often_by_the_planted_odds() -> None:
    block, told = block_of(), truth("invitations")
    person = np.array([int(text[6:]) for text in told["person_id"].to_pylist()])
    invited = surveys.draw_invitations(block)
    second = invited.second[invited.second < block.end_second]
    years = np.clip((second // DAY - block.people.first_day[person]) / 365.25, 0, 3)
    chance = column(told, "chance_to_answer")
    log_odds = np.log(chance / (1 - chance))
    explained = np.column_stack([np.ones(len(years)), block.people.satisfaction[person], years])
    found = np.linalg.lstsq(explained, log_odds, rcond=None)[0]
    share = VOICE.surveys.answer_share
    planted = [np.log(share / (1 - share)), VOICE.surveys.satisfaction_log_odds, VOICE.surveys.tenure_log_odds]
    np.testing.assert_allclose(found, planted, atol=1e-6)


def test_each_survey_asks_its_questions_on_their_scales() -> None:
    answers = (
        feed("survey_answers")
        .to_pandas()
        .merge(feed("survey_invitations").to_pandas()[["invitation_id", "survey"]], on="invitation_id")
    )
    by_code = {asked.question: asked for asked in QUESTIONS}
    for code, scores_found in answers.groupby("question")["score"]:
        assert set(scores_found) <= set(range(by_code[code].scale_min, by_code[code].scale_max + 1))
        assert len(set(scores_found)) >= 4
    assert set(answers[answers["survey"] == "transactional"]["question"]) == set(TRANSACTIONAL)
    relational = answers[answers["survey"] == "relationship"]
    assert set(relational["question"]) == {*RELATIONSHIP, *(code for page in ROTATING for code in page)}
    for _, codes in relational.groupby("invitation_id")["question"]:
        assert len(set(codes) - set(RELATIONSHIP)) <= max(map(len, ROTATING))
        assert "nps" in set(codes)
    answered = answers["invitation_id"].nunique()
    assert (answers["question"] == "nps").sum() == answered
    transactional = answers[answers["survey"] == "transactional"]
    kept = transactional.groupby("invitation_id")["question"].agg(lambda codes: "csat" not in set(codes))
    assert_share(kept.to_numpy(), VOICE.surveys.skipped_item_share)


def test_answers_follow_the_mood_and_the_reversed_item_runs_against_it() -> None:
    sheet = feed("survey_answers").to_pandas().pivot_table(index="invitation_id", columns="question", values="score")
    assert sheet["cli_recommend"].corr(sheet["cli_buy_again"]) > 0.5
    assert sheet["bond_feels_close"].corr(sheet["bond_would_not_miss"]) < -0.5
    assert sheet["trust_keeps_promises"].corr(sheet["bond_feels_close"]) > 0.5


def test_bad_service_lowers_the_score_of_what_went_wrong_most() -> None:
    bought = block_of().purchases
    number = {f"o{number:010d}": row for row, number in enumerate(bought.number.tolist())}
    answers = feed("survey_answers").to_pandas().dropna(subset=["order_id"])
    row = answers["order_id"].map(number).to_numpy()
    fault = np.select([bought.is_late[row], bought.is_bad_service[row]], ["late", "damaged"], "none")
    mean = answers.assign(fault=fault).groupby(["question", "fault"])["score"].mean().unstack()
    loss = mean.rsub(mean["none"], axis=0)
    assert (loss[["late", "damaged"]] > 0.3).all(axis=None)
    assert loss.loc["csat_service", "late"] > loss.loc["csat_product", "late"] + 0.15
    assert loss.loc["csat_product", "damaged"] > loss.loc["csat_service", "damaged"] + 0.15


def test_a_share_of_answered_surveys_has_a_comment_and_a_share_of_those_contradicts_its_score() -> None:
    answers = feed("survey_answers").filter(pc.equal(feed("survey_answers")["question"], "nps"))
    assert_share(np.asarray(answers["comment"].is_valid()), VOICE.surveys.comment_share)
    said = truth("texts_of_answers")
    beside = dict(zip(answers["answer_id"].to_pylist(), answers["score"].to_pylist(), strict=True))
    band = net_promoters(np.array([beside[answer] for answer in said["answer_id"].to_pylist()]))
    tone, is_contrary = column(said, "tone"), column(said, "is_contrary")
    np.testing.assert_array_equal(tone, np.where(is_contrary, -band, band))
    assert_share(is_contrary[band != 0], VOICE.texts.contrary_share)


# -- moods and scores ----------------------------------------------------------------------------------------------


def test_moods_are_standard_normal_before_bad_service() -> None:
    rng = np.random.default_rng(5)
    mood = moods_of(Moods(), rng.standard_normal(50_000), rng.standard_normal(50_000), np.zeros(50_000, dtype=bool))
    assert abs(mood.mean()) <= SIGMAS / np.sqrt(50_000)
    assert abs(mood.std() - 1) <= SIGMAS / np.sqrt(2 * 50_000)


@pytest.mark.parametrize(("mood", "low", "high", "score"), [(0, 0, 10, 8), (1, 0, 10, 10), (-9, 1, 5, 1), (9, 1, 5, 5)])
def test_scores_are_centred_on_the_planned_share_of_the_scale(mood: int, low: int, high: int, score: int) -> None:
    certain = replace(Moods(), item_weight=1.0)
    assert scores(certain, np.array([float(mood)]), np.zeros(1), low, high).tolist() == [score]


# -- reviews -------------------------------------------------------------------------------------------------------


def test_the_extreme_review_more_often() -> None:
    block, plan = block_of(), VOICE.reviews
    order_number = {text: row for row, text in enumerate(f"o{number:010d}" for number in block.purchases.number)}
    reviewed = np.zeros(len(block.purchases), dtype=bool)
    reviewed[[order_number[text] for text in feed("reviews")["order_id"].to_pylist()]] = True
    delivered = block.fulfilment.delivered_second < block.end_second - 20 * DAY
    could = delivered & (block.purchases.account != GUEST) & (block.fulfilment.fate == 0)
    chance = plan.review_share + plan.extreme_mood_share * np.abs(order_moods(block))
    assert_share(reviewed[could], np.minimum(chance[could], 1))
    assert not reviewed[~could & ~delivered].all()


def test_reviews_that_were_changed_keep_their_first_version_in_the_truth() -> None:
    reviews, first = feed("reviews").to_pandas(), truth("first_versions_of_reviews").to_pandas()
    changed = reviews[reviews["updated_at"] > reviews["created_at"]]
    assert set(changed["review_id"]) == set(first["review_id"])
    both = changed.merge(first, on="review_id", suffixes=("", "_first"))
    assert (both["review_text"] != both["review_text_first"]).mean() > 0.99
    assert 0.2 < (both["stars"] != both["stars_first"]).mean() < 0.9
    old = reviews[reviews["created_at"] < reviews["created_at"].max() - np.timedelta64(90, "D")]
    assert_share(old["review_id"].isin(first["review_id"]).to_numpy(), VOICE.reviews.edited_share)


def test_texts_speak_of_what_went_wrong_as_often_as_planned() -> None:
    block, said = block_of(), truth("texts_of_reviews").to_pandas()
    said["order_id"] = feed("reviews")["order_id"].to_pylist()
    rows = {f"o{number:010d}": row for row, number in enumerate(block.purchases.number.tolist())}
    order = said["order_id"].map(rows).to_numpy()
    weights = theme_weights(block, order)
    shares = weights / weights.sum(axis=1, keepdims=True)
    for place, theme in enumerate(THEMES):
        assert_share((said["first_theme"] == theme).to_numpy(), shares[:, place])
    late = block.purchases.is_late[order]
    assert shares[late, THEMES.index("delivery")].mean() > 0.3


# -- mentions ------------------------------------------------------------------------------------------------------


def test_reposts_repeat_an_earlier_post_of_the_same_platform() -> None:
    posts = feed("social_mentions").to_pandas().set_index("mention_id", drop=False)
    reposts = posts[posts["repost_of"].notna()]
    originals = posts.loc[reposts["repost_of"]]
    assert len(reposts) > 30
    for same in ("text", "platform", "language"):
        assert (reposts[same].to_numpy() == originals[same].to_numpy()).all()
    assert (reposts["created_at"].to_numpy() > originals["created_at"].to_numpy()).all()
    assert (reposts["author_handle"].to_numpy() != originals["author_handle"].to_numpy()).all()


def test_bots_say_the_same_again_and_customers_do_not() -> None:
    posts, told = feed("social_mentions").to_pandas(), truth("texts_of_mentions").to_pandas()
    bots = posts[told["is_bot"].to_numpy()]
    assert bots["text"].nunique() <= 12 < len(bots)
    assert bots["author_handle"].str.startswith("deal_alerts").all()
    own = posts[told["person_id"].notna().to_numpy()]
    assert own["text"].nunique() > 0.95 * len(own)
    rest = ~told["is_repost"].to_numpy() & ~told["is_bot"].to_numpy()
    assert (told["person_id"].notna().to_numpy() == rest).all()


def test_some_authors_are_known_to_the_shop() -> None:
    told = truth("texts_of_mentions").to_pandas()
    known = (
        feed("social_mentions").to_pandas()["author_handle"].isin(set(feed("contacts")["social_handle"].to_pylist()))
    )
    authors = told.assign(known=known)[told["person_id"].notna()].drop_duplicates("person_id")
    assert_share(authors["known"].to_numpy(), VOICE.mentions.handle_share)
    assert_share(mentions.speaks(block_of()), VOICE.mentions.speaking_share)


# -- support -------------------------------------------------------------------------------------------------------


def test_bad_service_makes_people_get_in_touch() -> None:
    block = block_of()
    contacts = support.draw_contacts(block)
    regular = block.fulfilment.fate == 0
    came = np.isin(np.arange(len(block.purchases)), contacts.order)
    bad = block.purchases.is_bad_service
    assert_share(came[regular & bad], VOICE.support.bad_service_share)
    assert_share(came[regular & ~bad], VOICE.support.other_share)
    assert not came[~regular].any()
    assert set(contacts.topic[block.purchases.is_late[contacts.order]]) == {0}


def test_events_of_a_contact_come_one_after_the_other() -> None:
    events = feed("support_events").to_pandas().sort_values(["contact_id", "event_number"])
    by_contact = events.groupby("contact_id")
    assert (by_contact["event_number"].agg(["min", "max", "size"]).eval("min == 1 and max == size")).all()
    assert (by_contact["event"].first() == "opened").all()
    assert by_contact["happened_at"].apply(lambda moments: moments.is_monotonic_increasing).all()
    last = by_contact["event"].last()
    assert (last.isin(["agent_reply", "auto_reply", "opened", "reopened"])).any(), "nothing is open at the end"
    after = events["event"].shift(-1).where(events["contact_id"] == events["contact_id"].shift(-1))
    assert set(after[events["event"] == "resolved"].dropna()) == {"reopened"}


def test_replies_take_the_planned_work_time_and_come_in_office_hours() -> None:
    block = block_of()
    contacts = support.draw_contacts(block)
    first = contacts.steps[:, 2]
    work = office_hours.work_seconds(block.calendar, first) - office_hours.work_seconds(block.calendar, contacts.second)
    for channel, hours in enumerate(VOICE.support.first_reply_hours):
        took = work[contacts.channel == channel] / 3_600 - 30 / 3_600
        assert abs(took.mean() - hours) <= SIGMAS * took.std() / np.sqrt(len(took)) + 0.01
    hour = first % DAY // 3_600
    assert set(hour) <= set(range(9, 18))
    weekday = (first // DAY + PLAN.first_day.weekday()) % 7
    assert 6 not in set(weekday)


def test_solutions_are_rated_and_reopened_as_planned() -> None:
    contacts = support.draw_contacts(block_of())
    solved = contacts.steps[:, 5] < NEVER
    assert_share(contacts.steps[solved, 6] < NEVER, VOICE.support.reopened_share)
    assert_share(contacts.rated_second[solved] < NEVER, VOICE.support.csat_share)
    assert_share(contacts.steps[:, 3] < NEVER, VOICE.support.touches_share)


def test_waiting_lowers_the_rating() -> None:
    block = block_of()
    contacts = support.draw_contacts(block)
    work = office_hours.work_seconds(block.calendar, contacts.steps[:, 2]) - office_hours.work_seconds(
        block.calendar, contacts.second
    )
    slow = work > 9 * 3_600
    assert contacts.score[slow].mean() < contacts.score[~slow].mean() - 0.2


@given(second=st.integers(0, 20 * DAY), work=st.integers(0, 40 * 3_600))
def test_office_hours_count_as_a_clock_would(second: int, work: int) -> None:
    """Against a clock that ticks in minutes: nine to six, Monday to Saturday."""
    second, work = second // 60 * 60, work // 60 * 60
    found = int(office_hours.second_after_work(block_of().calendar, np.array([second]), np.array([work]))[0])
    assert is_open(found)
    assert 60 * sum(is_open(minute) for minute in range(second, found, 60)) == work


def is_open(second: int) -> bool:
    weekday = (second // DAY + PLAN.first_day.weekday()) % 7
    return weekday != 6 and 9 * 3_600 <= second % DAY < 18 * 3_600


# -- the whole -----------------------------------------------------------------------------------------------------


def test_languages_are_those_of_the_phrase_books() -> None:
    assert texts.LANGUAGES == LANGUAGES


def test_impossible_shares_are_refused() -> None:
    with pytest.raises(SourceError, match=r"Surveys: bounced_share is -0\.1; expected a share from 0 to 1"):
        replace(VOICE.surveys, bounced_share=-0.1)
