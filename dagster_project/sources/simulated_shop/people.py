"""Who the simulated shop's people are: what each is like, and what the shop decides about each.

Belongs here: one draw per person of a block: arrival, rate, drop-out, spend, temper, tastes, membership, campaign arms.
Does not belong here: what they do (`purchases.py`), how they write and what they are called (the topics).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, chosen, kept, stream

PEOPLE_PER_BLOCK = 10_000
"""The unit of drawing; part of what a seed means, so it is no setting."""
LANGUAGES = ("en", "zh-Hant", "zh-Hans")
_LANGUAGE_SHARES = (0.55, 0.25, 0.20)
DEVICES = ("desktop", "phone", "tablet")
PHONE, TILL = 1, 3
DEVICE_NAMES = (*DEVICES, "till")
_DEVICE_SHARES = (0.5, 0.42, 0.08)
NEVER = np.iinfo(np.int64).max
NOT_CHOSEN, HOLDOUT, TREATED = -1, 0, 1


@dataclass(frozen=True)
class People:
    """One entry per real person of a block, in order of arrival; shape (n,) unless said.

    Attributes:
        number: of the person in the shop, from 0.
        first_day: day of the first purchase, or of registration for a prospect; 0 to the planned days.
        is_prospect: has an account and never buys.
        rate: own purchases per day of shop time while active.
        leaving: chance to leave after a purchase, before any effect.
        dropout_rate: hazard per day of shop time of leaving at any time; 0 where off.
        lifetime_days: days of shop time from the first purchase to that leaving; inf where off.
        nu: the person's own Gamma rate of spend per purchase, p / mean spend.
        satisfaction: standard normal, fixed for life; the general mood that a purchase or an answer varies around.
        language: position in `LANGUAGES`.
        country: position in the plan's countries.
        acquisition_channel: position in the plan's channels.
        favourite_kind: position in `KINDS`.
        favourite_device: position in `DEVICES`.
        birthday: days from 1970-01-01 to the date of birth.
        joined_day: when the person joins the loyalty programme; NEVER otherwise.
        account_switch: from which purchase on (counted from 1) the person uses a second account; NEVER otherwise.
        arms: shape (campaigns, n): NOT_CHOSEN, HOLDOUT or TREATED; only who came before the campaign's start is chosen.
    """

    number: Ints
    first_day: Ints
    is_prospect: Bools
    rate: Floats
    leaving: Floats
    dropout_rate: Floats
    lifetime_days: Floats
    nu: Floats
    satisfaction: Floats
    language: Ints
    country: Ints
    acquisition_channel: Ints
    favourite_kind: Ints
    favourite_device: Ints
    birthday: Ints
    joined_day: Ints
    account_switch: Ints
    arms: Ints

    @property
    def is_member(self) -> Bools:
        """Whether the person joins the programme some day."""
        return self.joined_day < NEVER

    def __len__(self) -> int:
        return len(self.number)


def count_blocks(plan: ShopPlan) -> int:
    """How many blocks hold all customers."""
    return -(-plan.customers // PEOPLE_PER_BLOCK)


def draw_people(plan: ShopPlan, calendar: Calendar, block: int) -> People:
    """The people of a block.

    Args:
        plan: the shop.
        calendar: of the plan.
        block: 0 to `count_blocks(plan)` - 1.
    """
    first = block * PEOPLE_PER_BLOCK
    count = min(PEOPLE_PER_BLOCK, plan.customers - first)
    is_last = first + count == plan.customers

    def rng(topic: str) -> np.random.Generator:
        return stream(plan.seed, block, f"people/{topic}")

    first_day = _first_days(plan, calendar, rng("first_day"), count)
    is_prospect = rng("prospect").random(count) < plan.buying.prospect_share
    if is_last:  # somebody buys for the first time on the last day, so that the shop is never stale
        first_day[-1], is_prospect[-1] = plan.days - 1, False
    rate = kept(np.maximum(rng("rate").gamma(plan.buying.shape, 1 / plan.buying.scale_days, count), 1e-9))
    satisfaction = kept(rng("satisfaction").standard_normal(count))
    dropout_rate, lifetime_days = _lifetimes(plan, rng("lifetime"), count)
    return People(
        number=first + np.arange(count),
        first_day=first_day,
        is_prospect=is_prospect,
        rate=rate,
        leaving=_chances_to_leave(plan, rng("leaving"), count),
        dropout_rate=dropout_rate,
        lifetime_days=lifetime_days,
        nu=kept(rng("spend").gamma(plan.spending.q, 1 / plan.spending.gamma, count)),
        satisfaction=satisfaction,
        language=chosen(rng("language"), _LANGUAGE_SHARES, count),
        country=chosen(rng("country"), [share for _, _, share in plan.countries], count),
        acquisition_channel=chosen(rng("channel"), [share for _, share in plan.channels], count),
        favourite_kind=rng("kind").integers(0, len(KINDS), count),
        favourite_device=chosen(rng("device"), _DEVICE_SHARES, count),
        birthday=rng("birthday").integers(-14_000, 14_000, count),
        joined_day=_joined_days(plan, rng("membership"), first_day, satisfaction, rate),
        account_switch=_account_switches(plan, rng("accounts"), count),
        arms=_arms(plan, rng("arms"), first_day),
    )


def _first_days(plan: ShopPlan, calendar: Calendar, rng: np.random.Generator, count: int) -> Ints:
    """Arrivals follow the busyness of the planned days and their growth, evenly spread over each block."""
    growth = 1 + plan.rhythm.arrival_growth * np.arange(plan.days) / plan.days
    arrivals = np.cumsum(kept(calendar.busyness[: plan.days] * growth))
    share = (np.arange(count) + rng.random(count)) / count
    return np.asarray(
        np.minimum(np.searchsorted(arrivals, share * arrivals[-1], side="right"), plan.days - 1), dtype=np.int64
    )


def _chances_to_leave(plan: ShopPlan, rng: np.random.Generator, count: int) -> Floats:
    if plan.leaving.a == 0:
        return np.zeros(count)
    return kept(rng.beta(plan.leaving.a, plan.leaving.b, count))


def _lifetimes(plan: ShopPlan, rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    if plan.leaving.lifetime_shape == 0:
        return np.zeros(count), np.full(count, np.inf)
    rate = kept(np.maximum(rng.gamma(plan.leaving.lifetime_shape, 1 / plan.leaving.lifetime_scale_days, count), 1e-12))
    return rate, kept(rng.standard_exponential(count) / rate)


def _joined_days(plan: ShopPlan, rng: np.random.Generator, first_day: Ints, satisfaction: Floats, rate: Floats) -> Ints:
    """Who joins depends on satisfaction and rate; when, on chance: some weeks after both person and programme began."""
    chance, wait = rng.random(len(first_day)), kept(rng.exponential(60.0, len(first_day)))
    programme = plan.programme
    if programme.member_share == 0:
        return np.full(len(first_day), NEVER)
    mean_rate = plan.buying.shape / plan.buying.scale_days
    log_odds = np.log(programme.member_share / (1 - programme.member_share))
    log_odds = log_odds + programme.satisfaction_log_odds * satisfaction
    log_odds = log_odds + programme.rate_log_odds * np.log(rate / mean_rate)
    joins = chance < kept(1 / (1 + np.exp(-log_odds)))
    joined = np.maximum(first_day, plan.programme_day) + np.minimum(wait, 10_000).astype(np.int64)
    return np.where(joins & (joined < plan.horizon_day), joined, NEVER)


def _account_switches(plan: ShopPlan, rng: np.random.Generator, count: int) -> Ints:
    switches = rng.random(count) < plan.orders.second_account_share
    return np.where(switches, rng.integers(2, 6, count), NEVER)


def _arms(plan: ShopPlan, rng: np.random.Generator, first_day: Ints) -> Ints:
    """Who is chosen for each campaign, and who of them is held out, both at random."""
    arms = np.full((len(plan.campaigns), len(first_day)), NOT_CHOSEN, dtype=np.int64)
    for number, campaign in enumerate(plan.campaigns):
        is_chosen = (rng.random(len(first_day)) < campaign.target_share) & (first_day < plan.campaign_days(number)[0])
        is_held_out = rng.random(len(first_day)) < campaign.holdout_share
        arms[number, is_chosen] = np.where(is_held_out[is_chosen], HOLDOUT, TREATED)
    return arms
