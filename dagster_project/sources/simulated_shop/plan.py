"""What is planted in a simulated shop: every parameter of its behaviour, in one frozen tree.

Belongs here: parameters, their defaults, what is possible, and `plain_plan`, the shop of the textbook in which every
effect is off. Does not belong here: drawing from them (`people.py`, `purchases.py` and the topics).

Time is counted in days from `first_day`. "Shop time" runs faster on days and in hours on which more is bought
(`calendar.py`); in a plain shop it is calendar time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, fields, replace

from dagster_project.sources.simulated_shop.relations.plan import Relations
from dagster_project.sources.simulated_shop.voice.plan import Voice
from dagster_project.sources.tables import SourceError

KINDS = ("coffee", "tea", "kitchen", "tableware", "home_textiles", "candles", "stationery", "garden")
"""What the shop sells; `People.favourite_kind` and `Products.kind` count from 0 in this order."""


@dataclass(frozen=True)
class Buying:
    """How often people buy: rates per day of shop time are Gamma(`shape`, `scale_days`) over people.

    Attributes:
        shape: r of BG/NBD and Pareto/NBD.
        scale_days: alpha of both, in days; the mean rate is shape / scale_days.
        prospect_share: of people who open an account and never buy.
    """

    shape: float = 0.9
    scale_days: float = 48.0
    prospect_share: float = 0.03


@dataclass(frozen=True)
class Leaving:
    """How people leave for good: after a purchase, or at any time, or both.

    Attributes:
        a: of the Beta(a, b) distribution of the chance to leave after a purchase; 0 turns it off.
        b: of the same.
        is_possible_at_first: whether the first purchase counts too (MBG/NBD), or only repeats do (BG/NBD).
        lifetime_shape: s of Pareto/NBD: drop-out rates per day of shop time are Gamma(s, lifetime_scale_days); 0 turns
            it off.
        lifetime_scale_days: beta of Pareto/NBD, in days.
        satisfaction_log_hazard: what one standard deviation of satisfaction adds to the log hazard of leaving after a
            purchase; below 0 where the satisfied stay. The chance is 1 - (1 - p)^exp(sum of log hazards).
    """

    a: float = 1.0
    b: float = 4.5
    is_possible_at_first: bool = True
    lifetime_shape: float = 0.0
    lifetime_scale_days: float = 400.0
    satisfaction_log_hazard: float = -0.5


@dataclass(frozen=True)
class Spending:
    """What a purchase is worth: Gamma(`p`, nu) with nu Gamma(`q`, `gamma`) over people, in units of money.

    It is what is paid for the goods, after discounts and before shipping and refunds, whatever was on offer.
    """

    p: float = 5.0
    q: float = 5.0
    gamma: float = 38.0

    @property
    def mean(self) -> float:
        """Mean over people of their mean spend, p gamma / (q - 1)."""
        return self.p * self.gamma / (self.q - 1)


@dataclass(frozen=True)
class Rhythm:
    """How fast shop time runs; each factor multiplies. Month and weekday factors are scaled to a mean of 1.

    Attributes:
        months: January to December.
        weekdays: Monday to Sunday.
        hours: 0 to 23; scaled so that a day's sum is 1.
        holiday: factor of New Year's Day and the two days of Christmas.
        trend_per_year: growth of everybody's rate, 0.05 for 5 % a year.
        arrival_growth: how many more new customers a day come at the end than at the start, 0.6 for 60 % more.
    """

    months: tuple[float, ...] = (0.9, 0.9, 1.0, 1.0, 1.0, 0.95, 0.8, 0.8, 1.0, 1.05, 1.4, 1.6)
    weekdays: tuple[float, ...] = (1.05, 1.0, 1.0, 1.0, 0.95, 0.9, 1.1)
    hours: tuple[float, ...] = (3, 1, 1, 0.5, 0.5, 1, 2, 4, 6, 8, 10, 10, 11, 10, 9, 9, 10, 11, 13, 15, 16, 14, 9, 6)
    holiday: float = 0.5
    trend_per_year: float = 0.03
    arrival_growth: float = 0.6


@dataclass(frozen=True)
class Promotions:
    """Days on which more is bought, much of it reduced.

    Attributes:
        windows: (month, day, days) of each year's promotions.
        lift: factor of shop time on those days.
        taken_share: of orders on those days that use the promotion.
        percent: of the goods' price that it takes off.
        coupon_share: of all other orders that use a personal coupon.
        coupon_percent: of the goods' price that a coupon takes off.
    """

    windows: tuple[tuple[int, int, int], ...] = ((3, 14, 5), (6, 20, 5), (9, 12, 4), (11, 24, 7))
    lift: float = 1.6
    taken_share: float = 0.7
    percent: int = 15
    coupon_share: float = 0.08
    coupon_percent: int = 10


@dataclass(frozen=True)
class PriceRise:
    """Some kinds become dearer on one day, and their fans leave more easily from then on.

    Attributes:
        kinds: positions in `KINDS`.
        share_of_days: when, as a share of the planned days.
        percent: by how much; 0 turns it off.
        leaving_hazard_ratio: of a person whose favourite kind it is, on purchases from that day; 1 is no effect.
    """

    kinds: tuple[int, ...] = (0, 4)
    share_of_days: float = 0.6
    percent: int = 8
    leaving_hazard_ratio: float = 1.5


@dataclass(frozen=True)
class Service:
    """How deliveries go, and what a bad one does.

    Attributes:
        bad_share: of purchases that are delivered two or more days late, damaged or wrong.
        late_share_of_bad: of these, those that are late; the others are damaged or wrong.
        leaving_hazard_ratio: of leaving after a badly served purchase; 1 is no effect.
    """

    bad_share: float = 0.08
    late_share_of_bad: float = 0.75
    leaving_hazard_ratio: float = 2.0


@dataclass(frozen=True)
class Programme:
    """The loyalty programme: people choose to join, the content and the busy more often than others.

    Attributes:
        member_share: of people with average satisfaction and rate who join, sooner or later; 0 turns it off.
        satisfaction_log_odds: of joining, per standard deviation of satisfaction.
        rate_log_odds: of joining, per unit of the logarithm of the rate over its mean.
        lift: what membership truly adds to the rate of purchases, as a share of it; 0 is no effect.
        starts_share_of_days: when the programme starts, as a share of the planned days.
    """

    member_share: float = 0.35
    satisfaction_log_odds: float = 0.5
    rate_log_odds: float = 0.6
    lift: float = 0.12
    starts_share_of_days: float = 0.15


@dataclass(frozen=True)
class Campaign:
    """One campaign with a random holdout.

    Attributes:
        name: of the campaign.
        purpose: acquisition, retention or win_back.
        is_personal: whether its message is personal.
        starts_share_of_days: its first day, as a share of the planned days.
        days: its length.
        target_share: of the people known by then who are chosen for it.
        holdout_share: of the chosen who get nothing, at random.
        lift: purchases that the message adds per treated person who is still a customer, over the campaign's days.
    """

    name: str
    purpose: str = "retention"
    is_personal: bool = True
    starts_share_of_days: float = 0.5
    days: int = 14
    target_share: float = 0.4
    holdout_share: float = 0.2
    lift: float = 0.06


@dataclass(frozen=True)
class Orders:
    """What becomes of orders; every share is of all purchases, drawn independently of everything else.

    Attributes:
        cancelled_share: cancelled before or after shipping.
        unpaid_share: never paid.
        reopened_share: cancelled by mistake and opened again within two days.
        refund_share: of delivered orders that came as promised, refunded in part or whole.
        damage_refund_share: the same of orders that came damaged or wrong.
        whole_refund_share: of refunds, those of everything.
        guest_share: bought without an account.
        test_share: test orders of the shop's staff in a customer's name.
        gift_card_share: gift cards only.
        zero_value_share: free samples.
        second_account_share: of people who open another account some day and go on with that.
    """

    cancelled_share: float = 0.03
    unpaid_share: float = 0.01
    reopened_share: float = 0.002
    refund_share: float = 0.045
    damage_refund_share: float = 0.5
    whole_refund_share: float = 0.4
    guest_share: float = 0.03
    test_share: float = 0.001
    gift_card_share: float = 0.004
    zero_value_share: float = 0.001
    second_account_share: float = 0.03


@dataclass(frozen=True)
class ShopPlan:
    """A shop to simulate.

    Attributes:
        customers: people who come within the planned days, prospects among them.
        days: planned length of the history, over which the customers come.
        last_day: last of the planned days.
        seed: of all draws.
        observed_days: how much of the plan has happened; None for all of it. The rest is the continuation, which only
            the truth shows.
        future_days: how far the truth looks past the planned end.
        time_zone: of the naive local times.
        countries: ISO code, currency and share of people.
        channels: how people came, and their shares.
        campaigns: in the order of `People.arms`.
        voice: what customers say.
        relations: contacts, programme, offers and the like.
    """

    customers: int = 5_000
    days: int = 730
    last_day: dt.date = dt.date(2025, 12, 31)
    seed: int = 7
    observed_days: int | None = None
    future_days: int = 365
    time_zone: str = "Europe/Berlin"
    countries: tuple[tuple[str, str, float], ...] = (
        ("DE", "EUR", 0.59),
        ("AT", "EUR", 0.12),
        ("NL", "EUR", 0.08),
        ("FR", "EUR", 0.08),
        ("IT", "EUR", 0.06),
        ("ES", "EUR", 0.05),
        ("CH", "CHF", 0.015),
        ("GB", "GBP", 0.005),
    )
    channels: tuple[tuple[str, float], ...] = (
        ("search", 0.3),
        ("organic", 0.25),
        ("social", 0.2),
        ("referral", 0.1),
        ("email", 0.1),
        ("store", 0.05),
    )
    buying: Buying = field(default_factory=Buying)
    leaving: Leaving = field(default_factory=Leaving)
    spending: Spending = field(default_factory=Spending)
    rhythm: Rhythm = field(default_factory=Rhythm)
    promotions: Promotions = field(default_factory=Promotions)
    price_rise: PriceRise = field(default_factory=PriceRise)
    service: Service = field(default_factory=Service)
    programme: Programme = field(default_factory=Programme)
    orders: Orders = field(default_factory=Orders)
    campaigns: tuple[Campaign, ...] = (
        Campaign("Spring personal offer", starts_share_of_days=0.45),
        Campaign("Newsletter to all", is_personal=False, starts_share_of_days=0.6, target_share=0.8, lift=0.01),
        Campaign("Come back", purpose="win_back", starts_share_of_days=0.8, days=21, lift=0.05),
    )
    voice: Voice = field(default_factory=Voice)
    relations: Relations = field(default_factory=Relations)

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if self.customers < 100 or self.days < 90:
            raise SourceError(
                f"a shop of {self.customers} customers over {self.days} days is too small; expected 100 over 90 or more"
            )
        if not 30 <= self.end_day <= self.days:
            raise SourceError(f"{self.end_day} of {self.days} planned days are observed; expected 30 to {self.days}")
        if self.spending.q <= 1:
            raise SourceError(f"q of spending is {self.spending.q}, expected more than 1: else no mean exists")
        for name, shares in (
            ("countries", [c[2] for c in self.countries]),
            ("channels", [c[1] for c in self.channels]),
        ):
            if abs(sum(shares) - 1) > 1e-9:
                raise SourceError(f"the shares of {name} add up to {sum(shares):g}, expected 1")
        for campaign in self.campaigns:
            if not 0 <= campaign.starts_share_of_days <= 1 - campaign.days / self.days:
                raise SourceError(f"campaign {campaign.name!r} does not lie within the {self.days} planned days")

    @property
    def first_day(self) -> dt.date:
        """Day 0."""
        return self.last_day - dt.timedelta(days=self.days - 1)

    @property
    def end_day(self) -> int:
        """Days observed: the first day that the shop has not seen yet."""
        return self.days if self.observed_days is None else self.observed_days

    @property
    def horizon_day(self) -> int:
        """The first day past all that is drawn; it does not depend on how much is observed."""
        return self.days + self.future_days

    @property
    def price_rise_day(self) -> int:
        """The first day of the higher prices."""
        return int(self.price_rise.share_of_days * self.days)

    @property
    def programme_day(self) -> int:
        """The first day of the loyalty programme."""
        return int(self.programme.starts_share_of_days * self.days)

    def campaign_days(self, number: int) -> tuple[int, int]:
        """First day of a campaign, and the first day after it."""
        campaign = self.campaigns[number]
        start = int(campaign.starts_share_of_days * self.days)
        return start, start + campaign.days

    def cut(self, observed_days: int) -> ShopPlan:
        """The same shop, seen at the end of an earlier day: the same people do the same things.

        Args:
            observed_days: 30 to `days`.
        """
        return replace(self, observed_days=observed_days)


def plain_plan(
    customers: int = 5_000,
    days: int = 730,
    seed: int = 7,
    buying: Buying | None = None,
    leaving: Leaving | None = None,
    spending: Spending | None = None,
) -> ShopPlan:
    """The textbook's shop: Gamma rates, a drop-out and Gamma-Gamma spends, and nothing else at all.

    Args:
        customers: 100 or more; all of them buy.
        days: 90 or more.
        seed: of all draws.
        buying: the rates; its `prospect_share` must be 0 for a plain shop.
        leaving: the drop-out; its `satisfaction_log_hazard` must be 0 for a plain shop.
        spending: the spends.
    """
    return ShopPlan(
        customers=customers,
        days=days,
        seed=seed,
        countries=(("DE", "EUR", 1.0),),
        buying=buying or Buying(prospect_share=0.0),
        leaving=leaving or Leaving(satisfaction_log_hazard=0.0),
        spending=spending or Spending(),
        rhythm=Rhythm((1.0,) * 12, (1.0,) * 7, (1.0,) * 24, holiday=1.0, trend_per_year=0.0, arrival_growth=0.0),
        promotions=Promotions(windows=(), coupon_share=0.0),
        price_rise=PriceRise(percent=0, leaving_hazard_ratio=1.0),
        service=Service(bad_share=0.0, leaving_hazard_ratio=1.0),
        programme=Programme(member_share=0.0, lift=0.0),
        orders=Orders(**{column.name: 0.0 for column in fields(Orders)}),
        campaigns=(),
    )
