"""What is planted in what the simulated shop and its customers have with each other: contacts, programme, offers.

Belongs here: parameters of these relations and what is possible. Does not belong here: who joins the programme and whom
campaigns choose, which purchases depend on (`../plan.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dagster_project.sources.simulated_shop.plan_checks import refuse_impossible_shares
from dagster_project.sources.tables import SourceError

_ADDRESS_STYLES = 6  # as many as `../names.py` knows


@dataclass(frozen=True)
class Contacts:
    """How people can be reached, and what makes it hard to tell who is who.

    Attributes:
        family_share: of people, those who use mailbox and telephone of the person before them, and have their family
            name.
        namesake_share: of people, those who are called like the person before them, and are somebody else.
        phone_share: of people, those whose telephone number is known.
        birthday_share: of people, those whose birthday is known.
        consent_share: of people whom no campaign chooses, those who agreed to be written to; a campaign chooses among
            those who agreed.
        stated_share: of accounts, those whose owner states how to be written to and what kind of goods they like.
        candid_share: of these, those who name their favourite kind; the others name any.
        address_style_shares: how the mailbox of a second account or a guest's order is written: as registered, with a
            plus tag, without the dot, in other case, as another mailbox, in wide letters.
    """

    family_share: float = 0.04
    namesake_share: float = 0.02
    phone_share: float = 0.75
    birthday_share: float = 0.5
    consent_share: float = 0.6
    stated_share: float = 0.4
    candid_share: float = 0.8
    address_style_shares: tuple[float, ...] = (0.4, 0.15, 0.13, 0.1, 0.2, 0.02)

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)
        shares = self.address_style_shares
        if len(shares) != _ADDRESS_STYLES or abs(sum(shares) - 1) > 1e-9:
            raise SourceError(
                f"Contacts: address_style_shares are {shares}; expected {_ADDRESS_STYLES} that add up to 1"
            )


@dataclass(frozen=True)
class Points:
    """The points of the loyalty programme.

    Attributes:
        per_unit: points for one unit of money paid for goods.
        welcome: points for joining.
        lives_days: days after the one on which they are given until which points can be spent.
        redeem_share: of a member's orders, those on which they want to spend points.
        redeem_from: points that one must have to spend any; they are spent in hundreds.
        spent_share: of the balance that is spent then.
        goodwill_share: of badly served orders, those after which points are given.
        goodwill: how many.
        correction_share: of orders, those after which staff takes some points away again.
        correction: how many.
        transfer_share: of members who change to a second account, those who take their points along; the others go on
            without.
    """

    per_unit: int = 1
    welcome: int = 100
    lives_days: int = 365
    redeem_share: float = 0.3
    redeem_from: int = 200
    spent_share: float = 0.8
    goodwill_share: float = 0.15
    goodwill: int = 150
    correction_share: float = 0.004
    correction: int = 50
    transfer_share: float = 0.6

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)
        if self.redeem_from < 100 or self.lives_days < 90:
            raise SourceError(
                f"Points: {self.redeem_from} points to spend any, valid for {self.lives_days} days; expected 100 for 90"
                " or more: points are spent in hundreds, and outlive every refund"
            )


@dataclass(frozen=True)
class Tiers:
    """Tiers of members, by what they spent in the 365 days before.

    Attributes:
        names: from the lowest, which every member has.
        from_cents: net spend from which one is in each tier; 0 for the lowest.
        grace_days: a member who spent too little at the end of a year keeps the tier so long, and longer if that
            makes up for it.
    """

    names: tuple[str, ...] = ("basic", "silver", "gold")
    from_cents: tuple[int, ...] = (0, 30_000, 80_000)
    grace_days: int = 90

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if len(self.names) != len(self.from_cents) or list(self.from_cents) != sorted({0, *self.from_cents}):
            raise SourceError(
                f"Tiers: names {self.names}, from {self.from_cents}; expected one rising sum each, from 0"
            )


@dataclass(frozen=True)
class Badges:
    """Badges of members.

    Attributes:
        order_counts: of orders that arrived since joining, for each level of the badge `regular`; none turns it off.
        span_days: days in the programme for each level of the badge `anniversary`; 0 turns it off.
    """

    order_counts: tuple[int, ...] = (3, 10, 25)
    span_days: int = 365

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if list(self.order_counts) != sorted({max(count, 1) for count in self.order_counts}) or self.span_days < 0:
            raise SourceError(
                f"Badges: order_counts are {self.order_counts}, span_days {self.span_days}; expected rising numbers"
                " from 1, and days from 0"
            )


@dataclass(frozen=True)
class Referrals:
    """Who brings whom.

    Attributes:
        satisfaction_log_weight: by how much each standard deviation of satisfaction raises the logarithm of the chance
            to be the one who brought a new customer.
        converted_share: of invitations, those whose invited person becomes a customer.
        rewarded_share: of referrals, those for which a reward was promised.
        reward_cents: the reward, due when the new customer first buys.
        self_share: of people with a second account, those who pretend to have been invited by themselves.
    """

    satisfaction_log_weight: float = 0.7
    converted_share: float = 0.4
    rewarded_share: float = 0.5
    reward_cents: int = 1_000
    self_share: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)
        if self.converted_share == 0:
            raise SourceError("Referrals: converted_share is 0; expected more, as people come by referral")


@dataclass(frozen=True)
class Messages:
    """What becomes of campaign messages.

    Attributes:
        bounced_share: of sent messages.
        opened_share: of delivered messages to all.
        clicked_share: of opened messages to all.
        personal_response_ratio: how many times more often personal messages are clicked, of those delivered.
    """

    bounced_share: float = 0.02
    opened_share: float = 0.2
    clicked_share: float = 0.1
    personal_response_ratio: float = 4.0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)
        if not 0 < self.clicked_share * self.personal_response_ratio <= 1:
            raise SourceError(
                f"Messages: {self.personal_response_ratio} times {self.clicked_share} of opened messages are clicked; "
                "expected at most all of them"
            )


@dataclass(frozen=True)
class Subscriptions:
    """A subscription by periods of thirty days, a contract of its own beside the orders.

    Attributes:
        subscriber_share: of people with an account, those who begin one some day.
        a: of the Beta(a, b) distribution of the chance to cancel at a renewal, which is the person's own.
        b: of the same.
        failed_payment_share: of renewals, those whose payment fails; half of them are paid in time, the others end.
        paused_share: of renewals, those from which one pauses for one to three months.
        again_share: of ended subscriptions, those after which the person begins another.
        cents: of a period.
    """

    subscriber_share: float = 0.08
    a: float = 0.8
    b: float = 8.0
    failed_payment_share: float = 0.02
    paused_share: float = 0.03
    again_share: float = 0.25
    cents: int = 1_900

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)


@dataclass(frozen=True)
class Visits:
    """Visits to the web shop and the app.

    Attributes:
        per_purchase: visits without an order for each expected purchase of a customer.
        after_leaving_days: mean days for which somebody who left still looks in now and then.
        abandoned_cart_share: of visits without an order, those that leave a full basket behind.
    """

    per_purchase: float = 1.0
    after_leaving_days: float = 20.0
    abandoned_cart_share: float = 0.12

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)


@dataclass(frozen=True)
class Costs:
    """What marketing costs, in cents.

    Attributes:
        per_new_customer: of winning one, by the channels of the plan, in their order.
        per_customer_day: of keeping, for a thousand known customers and a day.
        per_message: of one campaign message.
        programme_per_month: of running the loyalty programme, besides the points.
    """

    per_new_customer: tuple[int, ...] = (1_400, 200, 1_800, 600, 300, 500)
    per_customer_day: int = 600
    per_message: int = 4
    programme_per_month: int = 60_000


@dataclass(frozen=True)
class Relations:
    """All that is planted in these relations."""

    contacts: Contacts = field(default_factory=Contacts)
    points: Points = field(default_factory=Points)
    tiers: Tiers = field(default_factory=Tiers)
    badges: Badges = field(default_factory=Badges)
    referrals: Referrals = field(default_factory=Referrals)
    messages: Messages = field(default_factory=Messages)
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    visits: Visits = field(default_factory=Visits)
    costs: Costs = field(default_factory=Costs)
