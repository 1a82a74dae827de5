"""What is planted in a simulated shop: every parameter of its behaviour, in one frozen tree.

Belongs here: the whole tree, what is possible, and `plain_plan`, the shop of the textbook in which every effect is
off. Does not belong here: the parts (`behaviour.py`, `voice/plan.py`), drawing from them (`people.py`, `purchases.py`
and the topics).

Time is counted in days from `first_day`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, fields, replace

from dagster_project.sources.simulated_shop.behaviour import (
    Buying,
    Campaign,
    Leaving,
    Orders,
    PriceRise,
    Programme,
    Promotions,
    Rhythm,
    Service,
    Spending,
)
from dagster_project.sources.simulated_shop.relations.plan import Relations
from dagster_project.sources.simulated_shop.voice.plan import Voice
from dagster_project.sources.tables import SourceError


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
        Campaign("Come back", purpose="win_back", starts_share_of_days=0.7, days=21, lift=0.05),
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
