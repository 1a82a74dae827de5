"""What people buy when, until they leave: the purchases of a block, past the end of the history too.

Belongs here: the purchase process, its drop-outs, what the programme and campaigns add, and how each delivery goes.
Does not belong here: what lies in a basket (`baskets.py`), what becomes of the order later (`orders.py`).

A person's own purchases are a Poisson process in shop time that begins with the first purchase and ends with leaving:
after a purchase with the chance 1 - (1 - p)^h, h the product of all hazard ratios that apply to it, or at the end of
the lifetime. What membership and campaigns add comes on top, flagged, and nobody leaves over it: its number is Poisson
and its times are spread over the time that the person was there, so it can be taken away without changing the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from dagster_project.sources.simulated_shop.calendar import DAY, Calendar
from dagster_project.sources.simulated_shop.people import DEVICES, NEVER, PHONE, TILL, TREATED, People
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, chosen, kept, stream

CAUSES = ("own", "programme", "campaign")
OWN, BY_PROGRAMME, BY_CAMPAIGN = range(3)
CHANNELS = ("web", "app", "store")
WEB, APP, STORE = range(3)
CHANNEL_SHARES = (0.55, 0.33, 0.12)
_OTHER_DEVICE_SHARE = 0.15  # of purchases made on another device than the favourite one
GUEST, FIRST_ACCOUNT, SECOND_ACCOUNT = -1, 0, 1


@dataclass(frozen=True)
class Purchases:
    """One entry per purchase, in order of time, those after the observed end included; shape (m,).

    Attributes:
        number: of the order in the shop: block and position in it.
        person: row in the block's `People`.
        occasion_number: which purchase of the person this is, from 1.
        second: local seconds from the first day's midnight.
        cause: position in `CAUSES`; all but OWN are incremental.
        campaign: position in the plan's campaigns; -1 unless the cause is BY_CAMPAIGN.
        account: GUEST, FIRST_ACCOUNT or SECOND_ACCOUNT.
        channel: position in `CHANNELS`.
        device: position in `DEVICE_NAMES`; the till in the store.
        is_bad_service: delivered two or more days late, damaged or wrong.
        is_late: the late ones of these; none in the store.
        is_leaving: the person leaves after this purchase.
        is_future: after the observed end; no feed shows it.
        is_promoted: reduced by the promotion of the day.
        has_coupon: reduced by a personal coupon.
        paid_cents: for the goods, after discounts: the Gamma-Gamma spend.
        discount_cents: taken off the goods' list price.
    """

    number: Ints
    person: Ints
    occasion_number: Ints
    second: Ints
    cause: Ints
    campaign: Ints
    account: Ints
    channel: Ints
    device: Ints
    is_bad_service: Bools
    is_late: Bools
    is_leaving: Bools
    is_future: Bools
    is_promoted: Bools
    has_coupon: Bools
    paid_cents: Ints
    discount_cents: Ints

    @property
    def day(self) -> Ints:
        """Day of each purchase, from the first day."""
        return self.second // DAY

    @property
    def goods_cents(self) -> Ints:
        """What the goods cost at list prices."""
        return self.paid_cents + self.discount_cents

    def take(self, rows: Ints | Bools) -> Purchases:
        """Some of the purchases."""
        return Purchases(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    def __len__(self) -> int:
        return len(self.number)


@dataclass(frozen=True)
class _Moments:
    """Purchases as they are drawn: whose, when in shop time, why, and how they were served."""

    person: Ints
    shop_time: Floats
    cause: Ints
    campaign: Ints
    is_bad: Bools
    is_leaving: Bools


def draw_purchases(plan: ShopPlan, calendar: Calendar, people: People, block: int) -> tuple[Purchases, Ints]:
    """The purchases of a block, and until when each person is a customer.

    Args:
        plan: the shop.
        calendar: of the plan.
        people: of the block.
        block: its number.

    Returns:
        The purchases, and per person the local second of leaving: of the last own purchase, or of the end of the
        lifetime; NEVER where it lies past the horizon. A prospect never was one: -1.
    """
    day_starts = calendar.shop_time(np.arange(plan.horizon_day + 1) * DAY)
    within = stream(plan.seed, block, "purchases/first").random(len(people))
    before, after = day_starts[people.first_day], day_starts[people.first_day + 1]
    start = kept(before + within * (after - before))
    own, gone = _own_purchases(plan, calendar, people, start, block)
    added = [_added_by_programme(plan, calendar, people, start, gone, block)]
    added += [_added_by_campaign(plan, calendar, people, gone, number, block) for number in range(len(plan.campaigns))]
    moments = _Moments(
        *(np.concatenate(columns) for columns in zip(*(_columns(m) for m in [own, *added]), strict=True))
    )
    second = calendar.second_at(moments.shop_time)
    order = np.lexsort((moments.cause, moments.person, second))
    gone_second = np.where(np.isfinite(gone), calendar.second_at(np.where(np.isfinite(gone), gone, 0.0)), NEVER)
    gone_second[people.is_prospect] = -1
    return _detailed(plan, calendar, people, block, moments, second, order), gone_second


def _columns(moments: _Moments) -> list[np.ndarray]:
    return [getattr(moments, column.name) for column in fields(moments)]


def chance_to_leave(plan: ShopPlan, people: People, is_bad: Bools | bool, has_risen: Bools | bool) -> Floats:
    """Chance of each person to leave after a purchase, with every effect on it; shape (n,).

    Args:
        plan: the shop.
        people: shape (n,).
        is_bad: whether the purchase was badly served.
        has_risen: whether prices have risen by then; it matters to those whose favourite kind it is.
    """
    ratio = np.exp(plan.leaving.satisfaction_log_hazard * people.satisfaction)
    ratio = ratio * np.where(is_bad, plan.service.leaving_hazard_ratio, 1.0)
    is_touched = np.isin(people.favourite_kind, plan.price_rise.kinds) & (plan.price_rise.percent > 0)
    ratio = ratio * np.where(has_risen & is_touched, plan.price_rise.leaving_hazard_ratio, 1.0)
    return kept(-np.expm1(ratio * np.log1p(-people.leaving)))


def _own_purchases(
    plan: ShopPlan, calendar: Calendar, people: People, start: Floats, block: int
) -> tuple[_Moments, Floats]:
    """Purchase after purchase, each step for all who are still there; and the shop time of leaving, inf if unseen."""
    rng = stream(plan.seed, block, "purchases/own")
    horizon = float(calendar.shop_time(plan.horizon_day * DAY))
    ends = np.minimum(start + people.lifetime_days, np.inf)
    rise = float(calendar.shop_time(plan.price_rise_day * DAY))
    chances = np.stack([chance_to_leave(plan, people, bad, risen) for risen in (False, True) for bad in (False, True)])
    gone = np.where(ends < horizon, ends, np.inf)
    active = np.flatnonzero(~people.is_prospect)
    clock, is_first = start[active], True
    steps: list[tuple[Ints, Floats, Bools, Bools]] = []
    while active.size:
        is_bad = rng.random(active.size) < plan.service.bad_share
        leaves = rng.random(active.size) < chances[2 * (clock >= rise) + is_bad, active]
        if is_first and not plan.leaving.is_possible_at_first:
            leaves = np.zeros_like(leaves)
        steps.append((active, clock, is_bad, leaves))
        gone[active[leaves]] = clock[leaves]
        clock = clock + kept(rng.standard_exponential(active.size) / people.rate[active])
        stays = ~leaves & (clock < np.minimum(ends[active], horizon))
        active, clock, is_first = active[stays], clock[stays], False
    person, shop_time, bad, leaving = (np.concatenate(columns) for columns in zip(*steps, strict=True))
    cause = np.full(len(person), OWN)
    return _Moments(person, shop_time, cause, np.full(len(person), -1), bad, leaving), gone


def _added_by_programme(
    plan: ShopPlan, calendar: Calendar, people: People, start: Floats, gone: Floats, block: int
) -> _Moments:
    """What membership adds between joining and leaving."""
    rng = stream(plan.seed, block, "purchases/programme")
    horizon = calendar.shop_time(plan.horizon_day * DAY)
    joined = calendar.shop_time(np.minimum(people.joined_day, plan.horizon_day) * DAY)
    begins, ends = np.maximum(joined, start), np.minimum(gone, horizon)
    expected = plan.programme.lift * people.rate * np.maximum(ends - begins, 0) * people.is_member
    return _spread(rng, plan, expected * ~people.is_prospect, begins, ends, BY_PROGRAMME, -1)


def _added_by_campaign(
    plan: ShopPlan, calendar: Calendar, people: People, gone: Floats, number: int, block: int
) -> _Moments:
    """What a campaign's message adds over its days, as long as the treated person is there."""
    rng = stream(plan.seed, block, f"purchases/campaign/{number}")
    first, after = (float(calendar.shop_time(day * DAY)) for day in plan.campaign_days(number))
    begins, ends = np.full(len(people), first), np.minimum(gone, after)
    share = np.maximum(ends - begins, 0) / (after - first)
    is_treated = (people.arms[number] == TREATED) & ~people.is_prospect
    return _spread(rng, plan, plan.campaigns[number].lift * share * is_treated, begins, ends, BY_CAMPAIGN, number)


def _spread(
    rng: np.random.Generator,
    plan: ShopPlan,
    expected: Floats,
    begins: Floats,
    ends: Floats,
    cause: int,
    campaign: int,
) -> _Moments:
    """A Poisson number of purchases for each person, uniform between two shop times."""
    count = rng.poisson(kept(expected))
    person = np.repeat(np.arange(len(count)), count)
    shop_time = kept(begins[person] + rng.random(len(person)) * (ends - begins)[person])
    is_bad = rng.random(len(person)) < plan.service.bad_share
    size = len(person)
    return _Moments(
        person, shop_time, np.full(size, cause), np.full(size, campaign), is_bad, np.zeros(size, dtype=np.bool_)
    )


def _detailed(
    plan: ShopPlan, calendar: Calendar, people: People, block: int, moments: _Moments, second: Ints, order: Ints
) -> Purchases:
    """The drawn moments in order of time, with what is drawn for each purchase by itself."""
    count, person, second = len(order), moments.person[order], second[order]

    def chance(topic: str) -> Floats:
        return stream(plan.seed, block, f"purchases/{topic}").random(count)

    offers = plan.promotions
    is_promoted = calendar.is_promotion[second // DAY] & (chance("promotion") < offers.taken_share)
    has_coupon = ~is_promoted & (chance("coupon") < offers.coupon_share)
    percent = np.where(is_promoted, offers.percent, np.where(has_coupon, offers.coupon_percent, 0))
    spend = stream(plan.seed, block, "purchases/spend").standard_gamma(plan.spending.p, count) / people.nu[person]
    paid = np.maximum(np.rint(100 * kept(spend)).astype(np.int64), 1)
    occasion = _counted_from_one(person)
    is_bad = moments.is_bad[order]
    channel = chosen(stream(plan.seed, block, "purchases/channel"), CHANNEL_SHARES, count)
    wanders = chance("device") < _OTHER_DEVICE_SHARE
    device = np.where(wanders, (people.favourite_device[person] + 1) % len(DEVICES), people.favourite_device[person])
    device = np.select([channel == STORE, channel == APP], [TILL, PHONE], device)
    account = np.where(occasion >= people.account_switch[person], SECOND_ACCOUNT, FIRST_ACCOUNT)
    return Purchases(
        number=block * 10_000_000 + np.arange(count),
        person=person,
        occasion_number=occasion,
        second=second,
        cause=moments.cause[order],
        campaign=moments.campaign[order],
        account=np.where(chance("guest") < plan.orders.guest_share, GUEST, account),
        channel=channel,
        device=device,
        is_bad_service=is_bad,
        is_late=is_bad & (chance("late") < plan.service.late_share_of_bad) & (channel != STORE),
        is_leaving=moments.is_leaving[order],
        is_future=second >= plan.end_day * DAY,
        is_promoted=is_promoted,
        has_coupon=has_coupon,
        paid_cents=paid,
        discount_cents=paid * percent // (100 - percent),
    )


def _counted_from_one(person: Ints) -> Ints:
    """How many times each person has stood in the list so far, the entry itself included."""
    by_person = np.argsort(person, kind="stable")
    counts = np.bincount(person)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    position = np.empty(len(person), dtype=np.int64)
    position[by_person] = np.arange(len(person)) - starts + 1
    return position
