"""What the talking shop's customers say: every count of answers, invitations, waits and posts is the true one."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from known_shop import KnownShop
from scipy import stats

from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.office_hours import work_seconds


@pytest.fixture(scope="module")
def shop(talking_shop: KnownShop) -> KnownShop:
    return talking_shop


@pytest.mark.parametrize(
    ("metric", "survey"),
    [("nps", "relationship"), ("nps_transactional", "transactional")],
    ids=["nps", "transactional"],
)
def test_score_of_answers_is_exact_and_better_than_the_truth(shop: KnownShop, metric: str, survey: str) -> None:
    """The satisfied answer more often, so answers say more than everybody would have said."""
    [counts] = shop.true("nps_of_answers", survey, "trailing_window").values()
    assert shop.said(metric, "trailing_window") == {None: counts}
    [(promoters_less_detractors, asked)] = shop.true("nps_of_everybody", survey, "trailing_window").values()
    assert counts[0] / counts[1] > promoters_less_detractors / asked + 0.02


def test_satisfied_customers_are_counted_exactly(shop: KnownShop) -> None:
    assert shop.said("csat_share", "trailing_window") == shop.true("csat_of_answers", period="trailing_window")


@pytest.mark.parametrize(
    ("metric", "survey"),
    [("survey_response_rate", "relationship"), ("survey_response_rate_transactional", "transactional")],
    ids=["relationship", "transactional"],
)
def test_response_rates_are_exact(shop: KnownShop, metric: str, survey: str) -> None:
    assert shop.said(metric) == shop.true("survey_answer_rate", survey)


def test_loyalty_index_equals_pandas(shop: KnownShop) -> None:
    """The mean of two or three items of one sheet, (x - 1) / 5; of each account the latest sheet of the last year."""
    answers = pd.read_csv(shop.root / "deliveries" / "survey_answers.csv")
    answers = answers[answers["question"].str.startswith("cli_")]
    answers["moment"] = pd.to_datetime(answers["answered_at"])
    answers = answers[answers["moment"] >= pd.Timestamp(shop.plan.last_day) - pd.Timedelta(days=364)]
    answers["points"] = (answers["score"] - 1) * 20
    sheets = answers.groupby("invitation_id").agg(
        customer=("customer_id", "first"), moment=("moment", "max"), items=("points", "size"), index=("points", "mean")
    )
    index = sheets[sheets["items"] >= 2].sort_values("moment").groupby("customer")["index"].last()
    [(total, count)] = shop.said("customer_loyalty_index", "trailing_window").values()
    assert count == len(index) > 100
    assert float(total) == pytest.approx(index.sum(), abs=0.001)
    for metric, low, high in (("below_average", 0, 40), ("average", 40, 75), ("above_average", 75, 101)):
        inside = int(((index >= low) & (index < high)).sum())
        assert shop.said(f"loyalty_index_{metric}_share", "trailing_window") == {None: (inside, len(index))}


def test_quantiles_of_waits_equal_another_implementation(shop: KnownShop) -> None:
    """scipy's survival function of the same waits, open ones censored."""
    for wait in ("first_reply", "resolution"):
        rows = shop.columns(
            f"select coalesce({wait}_business_hours, waited_business_hours) as hours, "
            f"{wait}_business_hours is not null as is_done from warehouse.marts.fct_support_contacts"
        )
        hours, is_done = rows["hours"], rows["is_done"].astype(bool)
        surviving = stats.ecdf(stats.CensoredData(uncensored=hours[is_done], right=hours[~is_done])).sf
        for share, quantile in ((0.5, "median"), (0.1, "p90")):
            reached = surviving.quantiles[surviving.probabilities <= share + 1e-9].min()
            said = shop.rows(
                "select metric_value, ci_low, ci_high, count_observations from warehouse.marts.loyalty_metrics "
                f"where metric = '{wait}_{quantile}_business_hours' and period_type = 'lifetime' "
                "and segment_type = 'all'"
            )
            [(value, low, high, count)] = said
            assert (value, count) == (reached, len(hours))
            assert low <= value <= high


def test_every_invitation_is_in_the_state_that_it_truly_is(shop: KnownShop) -> None:
    said = shop.rows(
        "select invitation_id, survey, invitation_status, is_answered from warehouse.marts.fct_survey_invitations "
        "order by 1"
    )
    true = shop.rows("select invitation_id, survey, status, is_answered from memory.truth.invitations order by 1")
    assert len(true) > 2_000
    assert said == true


def test_no_invitation_breaks_the_throttle_that_the_shop_keeps(shop: KnownShop) -> None:
    """The shop spares persons: of a person with two accounts the warehouse sees each account spared apart."""
    assert shop.rows("select count(*) from warehouse.marts.fct_survey_invitations where is_sent_too_soon") == [(0,)]
    [(held_back,)] = shop.rows("select count(*) from warehouse.marts.fct_survey_invitations where is_throttled")
    assert held_back > 100


def test_net_promoter_scores_of_the_two_surveys_are_never_pooled(shop: KnownShop) -> None:
    rows = shop.rows("""
        select feedback.instrument, truth.survey, count(*)
        from warehouse.marts.fct_feedback as feedback
        left join warehouse.marts.fct_survey_invitations as invitations using (invitation_key)
        left join memory.truth.invitations as truth on invitations.invitation_id = truth.invitation_id
        where feedback.instrument like 'nps%' group by all
    """)
    assert {(instrument, survey) for instrument, survey, _ in rows} == {
        ("nps", "relationship"), ("nps_transactional", "transactional"),
    }  # fmt: skip


def test_waits_in_business_hours_are_those_of_the_shops_own_office_clock(shop: KnownShop) -> None:
    """Counted anew by the simulator's clock, in local seconds, from the events as they were exported."""
    rows = shop.rows(f"""
        with events as (
            select contact_id, event, epoch(happened_at::timestamp)::bigint as second
            from read_csv('{shop.root}/deliveries/support_events.csv', all_varchar = true)
        ),
        steps as (
            select contact_id, min(second) filter (event = 'opened') as opened,
                min(second) filter (event = 'agent_reply') as replied, min(second) filter (event = 'resolved') as solved
            from events group by contact_id
        )
        select opened, replied, solved, first_reply_business_hours, resolution_business_hours
        from steps join warehouse.marts.fct_support_contacts using (contact_id) order by contact_id
    """)
    assert len(rows) > 400
    calendar = Calendar(shop.plan)
    start = int(dt.datetime.combine(shop.plan.first_day, dt.time(), dt.UTC).timestamp())
    for place, hours in ((1, 3), (2, 4)):
        done = [row for row in rows if row[place] is not None]
        ends = np.array([[row[0], row[place]] for row in done], dtype=np.int64) - start
        worked = work_seconds(calendar, ends[:, 1]) - work_seconds(calendar, ends[:, 0])
        assert np.array_equal(worked, np.rint([row[hours] * 3_600 for row in done]))
        assert len(done) < len(rows), "some still wait"


def test_bots_and_reposts_are_told_from_customers(shop: KnownShop) -> None:
    rows = shop.rows("""
        select truth.is_bot, truth.is_repost, said.is_bot, said.is_repost, said.is_counted, count(*)
        from warehouse.marts.fct_mentions as said
        join memory.truth.texts_of_mentions as truth
            on said.mention_id = truth.platform || ':' || truth.mention_id
        group by all
    """)
    count = {tuple(row[:5]): row[5] for row in rows}
    assert sum(count.values()) > 200
    assert all(was_repost == said_repost for _, was_repost, _, said_repost, _ in count)
    assert all(was_bot or not said_bot for was_bot, _, said_bot, _, _ in count), "a customer was taken for a machine"
    bots = {said: sum(n for key, n in count.items() if key[0] and key[2] == said) for said in (True, False)}
    assert bots[True] > 2 * bots[False], "machines that have said too little yet are not known as such"
    counted_bots = sum(n for key, n in count.items() if key[0] and key[4])
    assert counted_bots <= 12, "a machine's words count once at most"


def test_tone_of_posts_is_unknown_where_too_little_text_is_rated_to_learn_from(shop: KnownShop) -> None:
    assert shop.rows(
        "select distinct metric_value, status, status_reason from warehouse.marts.loyalty_metrics "
        "where metric = 'net_mention_sentiment'"
    ) == [(None, "no_base", "too few good and bad rated texts in this language to learn from")]


def test_known_authors_of_posts_are_the_persons_who_wrote_them(shop: KnownShop) -> None:
    rows = shop.rows("""
        select customers.customer_id, truth.person_id, accounts.person_id
        from warehouse.marts.fct_mentions as said
        join memory.truth.texts_of_mentions as truth
            on said.mention_id = truth.platform || ':' || truth.mention_id
        left join warehouse.marts.dim_customers as customers using (customer_key)
        left join memory.truth.accounts as accounts using (customer_id)
    """)
    known = [(person, owner) for customer, person, owner in rows if customer]
    assert len(known) > 40
    assert all(person == owner for person, owner in known)
    assert len(known) < len(rows), "posts of nobody known stay in the brand's totals"


def test_changes_from_wave_to_wave_equal_pandas(shop: KnownShop) -> None:
    """Of each account and wave the last answer; pairs against themselves, others by the adjusted score."""
    answers = shop.con.execute(
        "select coalesce(customer_key, feedback_key) as respondent, wave, submitted_at, feedback_key, feedback_date, "
        "100.0 * (score >= 9)::int - 100.0 * (score <= 6)::int as points from warehouse.marts.fct_feedback "
        "where instrument = 'nps' and wave is not null and score is not null order by submitted_at, feedback_key"
    ).df()  # fmt: skip
    latest = answers.groupby(["wave", "respondent"])["points"].last().unstack("wave")
    waves = answers.groupby("wave")["feedback_date"].min().sort_values().index
    said = shop.con.execute(
        "select * from warehouse.marts.survey_wave_changes where instrument = 'nps' order by wave_start"
    ).df().set_index("wave")  # fmt: skip
    assert list(said.index) == list(waves[1:])
    for before, wave in itertools.pairwise(waves):
        told, now, then = said.loc[wave], latest[wave].dropna(), latest[before].dropna()
        assert (told["count_answers"], told["previous_count_answers"]) == (len(now), len(then))
        assert told["change"] == pytest.approx(now.mean() - then.mean(), abs=1e-6)
        pairs = (latest[wave] - latest[before]).dropna()
        assert told["count_pairs"] == len(pairs)
        if len(pairs) >= 30 and pairs.std() > 0:
            change, error = pairs.mean(), pairs.std() / np.sqrt(len(pairs))
        else:
            scores, errors = zip(*(adjusted_score(points) for points in (now, then)), strict=True)
            change, error = scores[0] - scores[1], np.hypot(*errors)
        assert told["tested_change"] == pytest.approx(change, abs=1e-4)
        assert told["ci_high"] - told["tested_change"] == pytest.approx(1.96 * error, rel=1e-4)


def adjusted_score(points: pd.Series) -> tuple[float, float]:
    """A net score with three quarters of an answer more at either end, and its standard error."""
    n = len(points) + 3
    promoters, detractors = ((points > 0).sum() + 0.75) / n, ((points < 0).sum() + 0.75) / n
    score = promoters - detractors
    return 100 * score, 100 * float(np.sqrt((promoters + detractors - score**2) / n))
