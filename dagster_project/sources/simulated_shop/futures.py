"""What is to be expected of each person after the observed end, worked out from what was planted.

Belongs here: exact expectations given the truth about a person. Does not belong here: what then happened
(`truth.py`), or any estimate from what the shop has seen.

A person who is there at the end buys at rate l of shop time and leaves at hazard k = l q + m: q the chance to leave
after a purchase, averaged over how it is served, m the drop-out rate. With S(t) = exp(-k t), k changing once where
prices rise, the expected number is the integral of l S over the horizon, what membership adds is its lift times the
integral from joining on, and what a campaign adds is its purchases per shop day times the integral over its days.
"""

from __future__ import annotations

import numpy as np

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.orders import MEAN_PART_REFUNDED, chance_of_refund
from dagster_project.sources.simulated_shop.people import TREATED
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.purchases import CHANNEL_SHARES, STORE, chance_to_leave
from dagster_project.sources.simulated_shop.streams import Bools, Floats, kept

HORIZONS = (30, 90, 365)
_LEAST_FELT = 1e-10
"""Below it, hazard times days changes the integral by less than the nine digits that are kept."""


def expected_purchases(block: Block, horizon_days: int) -> Floats:
    """Purchases expected in the days after the observed end, whatever becomes of their orders.

    Args:
        block: of people.
        horizon_days: 1 to what the plan draws past its observed end.

    Returns:
        Shape (n,): 0 for those who have left and for prospects, NaN for those who have not come yet.
    """
    plan, calendar, people = block.plan, block.calendar, block.people
    end = float(calendar.shop_time(block.end_second))

    def ahead(day: int) -> float:
        """Shop days from the end to a day within the horizon."""
        inside = min(max(day, plan.end_day), plan.end_day + horizon_days)
        return float(calendar.shop_time(inside * DAY)) - end

    rise, whole = ahead(plan.price_rise_day), ahead(plan.end_day + horizon_days)
    before, after = (_hazard(block, has_risen) for has_risen in (False, True))

    def days_there(until: Floats | float) -> Floats:
        """Integral of S from the end until so many shop days later."""
        survivors = np.exp(-before * rise)
        return _integral(before, np.minimum(until, rise)) + survivors * _integral(after, np.maximum(until - rise, 0))

    joined = np.minimum(np.maximum(people.joined_day, plan.end_day), plan.end_day + horizon_days)
    joined_ahead = calendar.shop_time(joined * DAY) - end
    expected = people.rate * days_there(whole)
    expected += plan.programme.lift * people.rate * people.is_member * (days_there(whole) - days_there(joined_ahead))
    for number, campaign in enumerate(plan.campaigns):
        first, last = plan.campaign_days(number)
        length = float(calendar.shop_time(last * DAY) - calendar.shop_time(first * DAY))
        there = days_there(ahead(last)) - days_there(ahead(first))
        expected += campaign.lift / length * there * (people.arms[number] == TREATED)
    expected = np.where(block.is_customer_at_end, expected, 0.0)
    return kept(np.where(people.first_day < plan.end_day, expected, np.nan))


def _hazard(block: Block, has_risen: bool) -> Floats:
    bad = block.plan.service.bad_share
    good, poor = (chance_to_leave(block.plan, block.people, is_bad, has_risen) for is_bad in (False, True))
    return np.asarray(block.people.rate * ((1 - bad) * good + bad * poor) + block.people.dropout_rate)


def _integral(hazard: Floats, until: Floats | float) -> Floats:
    """Integral of exp(-hazard t) from 0."""
    is_felt = hazard * until > _LEAST_FELT
    return np.asarray(np.where(is_felt, -np.expm1(-hazard * until) / np.where(is_felt, hazard, 1.0), until))


def counted_share(plan: ShopPlan) -> float:
    """Share of purchases whose order counts: regular, and not wholly refunded."""
    return _regular_share(plan) * (1 - _refunded_share(plan) * plan.orders.whole_refund_share)


def kept_share(plan: ShopPlan) -> float:
    """Share of what is spent on goods that stays with the shop: regular orders, less their refunds."""
    whole = plan.orders.whole_refund_share
    return _regular_share(plan) * (1 - _refunded_share(plan) * (whole + (1 - whole) * MEAN_PART_REFUNDED))


def _regular_share(plan: ShopPlan) -> float:
    shares = plan.orders
    odd = shares.cancelled_share + shares.unpaid_share + shares.test_share
    return 1 - odd - shares.gift_card_share - shares.zero_value_share


def _refunded_share(plan: ShopPlan) -> float:
    """Chance of a refund, averaged over service: late in delivery only where something is delivered."""
    late = plan.service.bad_share * plan.service.late_share_of_bad * (1 - CHANNEL_SHARES[STORE])
    damaged = plan.service.bad_share - late
    cases: tuple[tuple[float, Bools | bool], ...] = ((1 - damaged, False), (damaged, True))
    return float(sum(share * chance_of_refund(plan.orders, is_bad, False) for share, is_bad in cases))
