"""How people and the shop behave: the planted parameters of buying, leaving, spending, service, offers and orders.

Belongs here: one frozen part of a plan per theme, with defaults that make a lifelike shop. Does not belong here: the
whole plan (`plan.py`), what people say (`voice/plan.py`), drawing from any of it.

Time is counted in days of shop time, which runs faster on days and in hours on which more is bought (`calendar.py`);
in a plain shop it is calendar time.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    gamma: float = 44.0

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
