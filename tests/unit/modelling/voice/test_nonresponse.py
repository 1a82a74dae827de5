"""Weights for silence: exact where they can be worked out by hand, and against shops whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from voiced_shop import FACTS, invitations, latest_year, shop

from dagster_project.modelling.voice.nonresponse import NonresponseSettings, weigh
from dagster_project.modelling.voice.silence import Silence, informed_by_each_other, silence_slope

LOOSE = NonresponseSettings(minimum_answers=2, minimum_band_answers=1, trimmed_above=1.0)


def base(groups: list[tuple[str, int, int, int]]) -> pd.DataFrame:
    """An invited base: (channel, promoters, detractors, silent) per group."""
    rows = []
    for channel, promoters, detractors, silent in groups:
        rows += [(channel, 100.0, 100.0)] * promoters + [(channel, -100.0, 0.0)] * detractors
        rows += [(channel, np.nan, np.nan)] * silent
    made = pd.DataFrame(rows, columns=["channel", "net_score", "score_0_100"])
    made["unit_key"] = [f"c{row:04d}" for row in range(len(made))]
    return made.assign(is_answered=made["net_score"].notna(), total_net=10.0)


def test_answers_stand_for_the_silent_of_their_kind():
    """30 of 40 by mail answered, 10 of 60 in the app: (40 x 50 + 60 x -60) / 100."""
    found = weigh(base([("email", 20, 10, 10), ("app", 2, 8, 50)]), ["channel"], LOOSE).figures
    assert found["raw_score"] == pytest.approx(100 * (22 - 18) / 40)
    by_mail, in_app = 100 * 10 / 30, -60
    assert found["weighted_score"] == pytest.approx(0.4 * by_mail + 0.6 * in_app, abs=1e-4)
    assert found["effective_answers"] == pytest.approx(100**2 / (30 * (40 / 30) ** 2 + 10 * 6**2), rel=1e-4)
    assert found["response_rate"] == 0.4
    assert found["revenue_coverage_share"] == pytest.approx(0.4)
    assert found["score_if_silent_detractors"] == pytest.approx((400 - 6_000) / 100)
    assert found["score_if_silent_promoters"] == pytest.approx((400 + 6_000) / 100)


def test_weighted_sums_agree_with_the_base_in_every_band():
    rng = np.random.default_rng(2)
    count = 1_500
    invited = pd.DataFrame({"orders": rng.geometric(0.4, count), "tenure": rng.exponential(300, count)})
    invited["member"] = rng.random(count) < expit(invited["tenure"] / 300 - 1)
    invited["unit_key"] = [f"c{row:04d}" for row in range(count)]
    invited["is_answered"] = rng.random(count) < expit(invited["tenure"] / 400 - 1.2)
    invited["net_score"] = pd.Series(rng.choice([-100.0, 0.0, 100.0], count)).where(invited["is_answered"])
    invited["score_0_100"], invited["total_net"] = (invited["net_score"] + 100) / 2, 1.0
    weights = weigh(invited, ["orders", "tenure", "member"]).weights.set_index("unit_key")["weight"]
    own = invited.set_index("unit_key").loc[weights.index]
    for shown in (own["member"], own["orders"] <= 1, own["tenure"] <= invited["tenure"].quantile(0.25)):
        whole = invited.set_index("unit_key")[shown.name]
        limit = whole if shown.name == "member" else whole <= (1 if shown.name == "orders" else whole.quantile(0.25))
        assert np.average(shown, weights=weights) == pytest.approx(limit.mean(), abs=1e-4)
    assert weights.mean() == pytest.approx(1)


def test_weights_repair_what_the_facts_explain_and_the_interval_covers():
    """Who answers hangs on what was spent, and so does the score, in 100 surveys of 600; trimming leaves a little."""
    rng = np.random.default_rng(5)
    raw, weighted, inside = [], [], 0
    for _ in range(100):
        fact = rng.normal(0, 1, 600)
        score = np.select(
            [fact + rng.normal(0, 1, 600) > 0.8, fact + rng.normal(0, 1, 600) < -0.8], [100.0, -100.0], 0.0
        )
        answered = rng.random(600) < expit(fact - 0.5)
        invited = pd.DataFrame(
            {"unit_key": np.arange(600).astype("U4"), "spent": np.exp(3 + fact), "is_answered": answered}
        )
        invited["net_score"] = np.where(answered, score, np.nan)
        invited["score_0_100"], invited["total_net"] = (invited["net_score"] + 100) / 2, 1.0
        found = weigh(invited, ["spent"]).figures
        raw.append(found["raw_score"] - score.mean())
        weighted.append(found["weighted_score"] - score.mean())
        inside += found["ci_low"] <= score.mean() <= found["ci_high"]
    assert np.mean(raw) > 20
    assert abs(np.mean(weighted)) < np.mean(raw) / 10
    assert inside >= 90  # of 100 at 95 %, one run in seventy has fewer


def test_slope_of_silence_is_recovered_from_earlier_answers():
    """A lasting attitude makes scores and answering: the slope on the earlier score is that on the present one."""
    rng = np.random.default_rng(6)
    count = 40_000
    attitude = rng.normal(0, 1, count)
    earlier, present = (
        np.clip(np.rint(7.5 + 1.6 * attitude + rng.normal(0, 1.2, count)), 0, 10) * 10 for _ in range(2)
    )
    answered, answered_before = (rng.random(count) < expit(0.6 * attitude - 1) for _ in range(2))
    panel = pd.DataFrame({"customer_key": np.arange(count).astype("U6"), "is_answered": answered, "tenure": 1.0})
    known = silence_slope(panel.assign(earlier_score_0_100=np.where(answered_before, earlier, np.nan)), ["tenure"])
    true = silence_slope(panel.assign(earlier_score_0_100=present), ["tenure"])
    assert known.count_invitations == answered_before.sum()
    assert abs(known.log_odds - true.log_odds) < 3 * known.error
    assert known.log_odds > 10 * known.error


def test_slope_needs_answers_and_silence_of_those_who_answered_before():
    panel = pd.DataFrame(
        {"customer_key": ["a", "b"], "is_answered": [True, False], "earlier_score_0_100": [10.0, 90.0]}
    )
    assert silence_slope(panel, []) is None
    with pytest.raises(ValueError, match="lacks tenure"):
        silence_slope(panel, ["tenure"])


def test_slopes_of_surveys_are_drawn_to_their_mean_as_far_as_errors_explain_their_difference():
    """By hand: at equal errors of .1 the variance between two slopes is half their squared distance, less .01."""
    alike = informed_by_each_other({"a": Silence(0.10, 0.1, 500), "b": Silence(0.20, 0.1, 300), "c": None})
    assert alike == {"a": Silence(0.15, 0.070711, 500), "b": Silence(0.15, 0.070711, 300), "c": None}
    unlike = informed_by_each_other({"a": Silence(0.0, 0.1, 500), "b": Silence(0.4, 0.1, 500)})
    kept = 0.07 / 0.08
    assert unlike["a"].log_odds == pytest.approx(0.2 - kept * 0.2)
    assert unlike["b"].log_odds == pytest.approx(0.2 + kept * 0.2)
    assert unlike["a"].error == pytest.approx((kept * 0.01 + (1 - kept) ** 2 * 0.08 / 2) ** 0.5, abs=1e-6)
    alone = {"a": Silence(0.1, 0.1, 500), "b": None}
    assert informed_by_each_other(alone) == alone


@pytest.fixture(scope="module")
def every_survey() -> pd.DataFrame:
    """Surveys of twenty shops in which the content answer more often, weighed."""
    found = []
    for seed in range(20):
        panels = {survey: invitations(shop(seed), survey) for survey in ("relationship", "transactional")}
        slopes = {survey: silence_slope(rows, FACTS, minimum_answers=50) for survey, rows in panels.items()}
        for survey, slope in informed_by_each_other(slopes).items():
            invited = latest_year(panels[survey])
            figures = weigh(invited, FACTS, silence=slope).figures
            found.append(figures | {"survey": survey, "truth": invited["true_net_score"].mean()})
    return pd.DataFrame(found)


@pytest.fixture(params=["relationship", "transactional"])
def twenty_shops(every_survey: pd.DataFrame, request: pytest.FixtureRequest) -> pd.DataFrame:
    return every_survey[every_survey["survey"] == request.param]


def test_weighted_score_is_nearer_to_the_truth_of_simulated_shops(twenty_shops):
    raw_error = twenty_shops["raw_score"] - twenty_shops["truth"]
    error = twenty_shops["weighted_score"] - twenty_shops["truth"]
    assert raw_error.mean() > 12
    assert (error.abs() < raw_error.abs()).sum() >= 18
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(20)
    assert abs(error.mean()) < raw_error.mean() / 5


def test_interval_holds_the_truth_of_simulated_shops_as_often_as_it_says(twenty_shops):
    inside = twenty_shops["truth"].between(twenty_shops["ci_low"], twenty_shops["ci_high"])
    assert inside.sum() >= 17  # of 20 at 95 %, one shop in seventy has fewer
    bounds = twenty_shops["truth"].between(
        twenty_shops["score_if_silent_detractors"], twenty_shops["score_if_silent_promoters"]
    )
    assert bounds.all()


def test_facts_alone_do_not_repair_silence_that_hangs_on_the_opinion(twenty_shops):
    """What the published text says of weights: without earlier answers the planted bias would mostly stay."""
    left = (twenty_shops["weighted_score_by_facts"] - twenty_shops["truth"]).mean()
    assert left > 0.7 * (twenty_shops["raw_score"] - twenty_shops["truth"]).mean()


def test_a_slope_lowers_the_score_and_its_error_widens_the_interval():
    rng = np.random.default_rng(3)
    invited = base([("email", 90, 60, 250)]).assign(tenure=rng.exponential(200, 400))
    plain, tilted = (weigh(invited, ["tenure"], silence=slope).figures for slope in (None, Silence(0.1, 0.05, 500)))
    assert tilted["weighted_score"] < plain["weighted_score"] - 5
    assert tilted["weighted_score_by_facts"] == plain["weighted_score"]
    assert tilted["ci_high"] - tilted["ci_low"] > plain["ci_high"] - plain["ci_low"] + 2
    assert (plain["silence_log_odds"], tilted["silence_log_odds_error"]) == (None, 0.05)


def test_too_few_answers_have_no_weights_and_a_reason():
    found = weigh(base([("email", 5, 5, 80)]), ["channel"])
    assert found.figures["status"] == "too_few_answers"
    assert found.figures["weighted_score"] is None
    assert found.figures["raw_score"] == 0
    assert found.weights.empty
    everybody = weigh(base([("email", 150, 50, 3)]), ["channel"])
    assert everybody.figures["status"] == "too_few_silent"
    nobody = weigh(base([])[:0], ["channel"]).figures
    assert (nobody["response_rate"], nobody["raw_score"], nobody["score_if_silent_promoters"]) == (None, None, None)


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(3)
    invited = base([("email", 90, 60, 250), ("app", 30, 40, 120)]).assign(tenure=rng.exponential(200, 590))
    there, back = weigh(invited, ["channel", "tenure"]), weigh(invited[::-1], ["channel", "tenure"])
    assert there.figures == back.figures
    pd.testing.assert_frame_equal(there.weights, back.weights)


def test_impossible_bases_are_refused():
    invited = base([("email", 2, 2, 2)])
    with pytest.raises(ValueError, match="lacks tenure"):
        weigh(invited, ["tenure"])
    with pytest.raises(ValueError, match="stands twice"):
        weigh(pd.concat([invited, invited]), ["channel"])
    with pytest.raises(ValueError, match="an answer has no score"):
        weigh(invited.assign(net_score=np.nan), ["channel"])
    with pytest.raises(ValueError, match="above a half to 1"):
        NonresponseSettings(trimmed_above=0.2)
