"""What is planted in who buys, stays, joins and is served badly is found again in what was drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_shop import PLAN, SIGMAS, assert_share, block_of
from scipy import stats

from dagster_project.sources.simulated_shop.behaviour import Leaving, Programme
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.people import HOLDOUT, NEVER, NOT_CHOSEN, TREATED
from dagster_project.sources.simulated_shop.purchases import BY_CAMPAIGN, BY_PROGRAMME, GUEST, OWN, STORE

LIFETIMES = replace(
    PLAN, leaving=Leaving(a=0.0, lifetime_shape=1.2, lifetime_scale_days=300.0, satisfaction_log_hazard=0.0)
)


def assert_poisson(found: float, expected: float) -> None:
    assert abs(found - expected) <= SIGMAS * np.sqrt(expected), f"{found} found, {expected:.1f} expected"


def hazard_ratios(block: Block, ratio_of_bad: float, per_sigma: float, ratio_of_rise: float) -> np.ndarray:
    """The chance to leave after each own purchase if these were the planted effects, written anew."""
    own, people = block.purchases, block.people
    is_touched = np.isin(people.favourite_kind, block.plan.price_rise.kinds)[own.person]
    has_risen = own.day >= block.plan.price_rise_day
    ratio = np.exp(per_sigma * people.satisfaction[own.person])
    ratio = ratio * np.where(own.is_bad_service, ratio_of_bad, 1) * np.where(is_touched & has_risen, ratio_of_rise, 1)
    return 1 - (1 - people.leaving[own.person]) ** ratio


@pytest.mark.parametrize("group", ["badly served", "well served", "content", "discontent", "dearer"])
def test_people_leave_as_often_as_their_hazards_say(group: str) -> None:
    block = block_of()
    own = block.purchases
    satisfaction = block.people.satisfaction[own.person]
    is_dearer = np.isin(block.people.favourite_kind, PLAN.price_rise.kinds)[own.person] & (
        own.day >= PLAN.price_rise_day
    )
    rows = (own.cause == OWN) & {
        "badly served": own.is_bad_service,
        "well served": ~own.is_bad_service,
        "content": satisfaction > 1,
        "discontent": satisfaction < -1,
        "dearer": is_dearer,
    }[group]
    planted = (
        PLAN.service.leaving_hazard_ratio,
        PLAN.leaving.satisfaction_log_hazard,
        PLAN.price_rise.leaving_hazard_ratio,
    )
    assert_share(own.is_leaving[rows], hazard_ratios(block, *planted)[rows])
    if group in {"badly served", "discontent", "dearer"}:  # and would be noticed if they did not
        with pytest.raises(AssertionError, match="planted"):
            assert_share(own.is_leaving[rows], hazard_ratios(block, 1.0, 0.0, 1.0)[rows])


def test_nobody_buys_before_coming_or_after_leaving() -> None:
    block = block_of()
    person, second = block.purchases.person, block.purchases.second
    assert (second // DAY >= block.people.first_day[person]).all()
    assert (second <= block.gone_second[person]).all()
    assert not np.isin(np.flatnonzero(block.people.is_prospect), person).any()
    firsts = np.bincount(person[block.purchases.occasion_number == 1], minlength=len(block.people))
    assert (firsts == ~block.people.is_prospect).all()


def test_gaps_in_shop_time_are_exponential_at_the_persons_rate() -> None:
    """Of people who could have bought for long after, so that hardly a gap is cut: a uniform transform, then KS."""
    block = block_of()
    own = block.purchases
    is_first = (own.occasion_number == 1) & (own.cause == OWN) & ~own.is_leaving
    clock = block.calendar.shop_time(own.second)
    is_second = own.occasion_number == 2
    seconds = dict(zip(own.person[is_second].tolist(), clock[is_second].tolist(), strict=True))
    horizon = float(block.calendar.shop_time(PLAN.horizon_day * DAY))
    chances = []
    for who, at in zip(own.person[is_first].tolist(), clock[is_first].tolist(), strict=True):
        rate = block.people.rate[who]
        if not block.people.is_member[who] and who in seconds:
            seen = -np.expm1(-rate * (horizon - at))  # the gap is known to end before the horizon
            chances.append(-np.expm1(-rate * (seconds[who] - at)) / seen)
    assert len(chances) > 2_000
    assert stats.kstest(chances, "uniform").pvalue > 1e-4


def test_drop_outs_in_time_follow_their_rates() -> None:
    block = block_of(LIFETIMES)
    people = block.people
    scaled = people.lifetime_days * people.dropout_rate
    assert stats.kstest(scaled, "expon").pvalue > 1e-4
    lomax = stats.lomax(LIFETIMES.leaving.lifetime_shape, scale=LIFETIMES.leaving.lifetime_scale_days)
    assert stats.kstest(people.lifetime_days, lomax.cdf).pvalue > 1e-4
    assert (block.purchases.is_leaving == False).all()  # noqa: E712 - an array


def test_rates_and_spends_are_of_their_distributions() -> None:
    people = block_of().people
    buying, spending = PLAN.buying, PLAN.spending
    assert stats.kstest(people.rate, stats.gamma(buying.shape, scale=1 / buying.scale_days).cdf).pvalue > 1e-4
    assert stats.kstest(people.nu, stats.gamma(spending.q, scale=1 / spending.gamma).cdf).pvalue > 1e-4
    purchases = block_of().purchases
    scaled = purchases.paid_cents / 100 * people.nu[purchases.person]
    assert stats.kstest(scaled, stats.gamma(spending.p).cdf).pvalue > 1e-4


def test_membership_is_chosen_by_the_content_and_the_busy() -> None:
    people = block_of().people
    programme = PLAN.programme
    mean_rate = PLAN.buying.shape / PLAN.buying.scale_days
    log_odds = np.log(programme.member_share / (1 - programme.member_share))
    log_odds = log_odds + programme.satisfaction_log_odds * people.satisfaction
    chance = 1 / (1 + np.exp(-(log_odds + programme.rate_log_odds * np.log(people.rate / mean_rate))))
    for rows in (people.satisfaction > 1, people.satisfaction < -1, people.rate > mean_rate, people.rate < mean_rate):
        assert_share(people.is_member[rows], chance[rows])
    joined = people.joined_day[people.is_member]
    assert (joined >= people.first_day[people.is_member]).all()
    assert (joined >= PLAN.programme_day).all()


def test_membership_adds_its_lift_and_nothing_where_the_lift_is_zero() -> None:
    block = block_of()
    own = block.purchases
    joined = block.people.joined_day[own.person]
    while_member = (own.cause == OWN) & (own.day >= joined) & (own.occasion_number > 1)
    added = int((own.cause == BY_PROGRAMME).sum())
    assert_poisson(added, PLAN.programme.lift * while_member.sum())
    without = block_of(replace(PLAN, programme=Programme(lift=0.0)))
    assert not (without.purchases.cause == BY_PROGRAMME).any()
    assert np.array_equal(without.people.joined_day, block.people.joined_day)
    both = [made.purchases.second[made.purchases.cause == OWN] for made in (block, without)]
    assert np.array_equal(*both), "what is added changes what is there without it"


def test_campaigns_hold_out_at_random_and_add_their_lift_to_the_treated() -> None:
    block = block_of()
    people, own = block.people, block.purchases
    for number, campaign in enumerate(PLAN.campaigns):
        arms, (first, after) = people.arms[number], PLAN.campaign_days(number)
        known = people.first_day < first
        assert (arms[~known] == NOT_CHOSEN).all()
        assert_share(arms[known] != NOT_CHOSEN, campaign.target_share)
        assert_share(arms[arms != NOT_CHOSEN] == HOLDOUT, campaign.holdout_share)
        added = (own.cause == BY_CAMPAIGN) & (own.campaign == number)
        assert (arms[own.person[added]] == TREATED).all()
        assert ((own.day[added] >= first) & (own.day[added] < after)).all()
        there = (arms == TREATED) & ~people.is_prospect
        begins, ends = (float(block.calendar.shop_time(day * DAY)) for day in (first, after))
        gone = block.calendar.shop_time(np.clip(block.gone_second, 0, PLAN.horizon_day * DAY))
        share = np.clip((gone - begins) / (ends - begins), 0, 1)
        assert_poisson(int(added.sum()), campaign.lift * share[there].sum())


def test_service_offers_and_accounts_have_their_shares() -> None:
    block = block_of()
    own = block.purchases
    assert_share(own.is_bad_service, PLAN.service.bad_share)
    delivered = own.is_bad_service & (own.channel != STORE)
    assert_share(own.is_late[delivered], PLAN.service.late_share_of_bad)
    assert not own.is_late[own.channel == STORE].any()
    on_offer = block.calendar.is_promotion[own.day]
    assert_share(own.is_promoted[on_offer], PLAN.promotions.taken_share)
    assert not own.is_promoted[~on_offer].any()
    assert_share(own.has_coupon[~own.is_promoted], PLAN.promotions.coupon_share)
    assert_share(own.account == GUEST, PLAN.orders.guest_share)
    assert_share(block.people.account_switch < NEVER, PLAN.orders.second_account_share)
    assert_share(block.people.is_prospect, PLAN.buying.prospect_share)


def test_more_is_bought_on_busy_days_in_proportion() -> None:
    """Own purchases of people who never leave in sight, day by day: chi-square against shop time."""
    block = block_of()
    own, people = block.purchases, block.people
    stays = (block.gone_second == NEVER) & ~people.is_prospect & (people.first_day < 300)
    rows = (own.cause == OWN) & stays[own.person] & (own.day >= 300)
    months = block.calendar.days.astype("datetime64[M]").astype(np.int64)
    bought = np.bincount(months[own.day[rows]] - months[300])
    busy = np.bincount(months[300:] - months[300], weights=block.calendar.busyness[300:])
    expected = busy / busy.sum() * bought.sum()
    assert expected.min() > 20
    assert stats.chisquare(bought, expected).pvalue > 1e-4
    assert stats.chisquare(bought, np.full(len(bought), bought.mean())).pvalue < 1e-6
