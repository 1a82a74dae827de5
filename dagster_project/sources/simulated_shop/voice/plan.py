"""What is planted in what the simulated customers say: moods, answering, writing.

Belongs here: parameters of the voice and what is possible. Does not belong here: parameters of buying (`../plan.py`)
and of the programme (`../relations/plan.py`).

A mood is standard normal over people and occasions, before bad service lowers it. All log odds are natural.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dagster_project.sources.simulated_shop.plan_checks import refuse_impossible_shares
from dagster_project.sources.tables import SourceError


@dataclass(frozen=True)
class Texts:
    """How the customers write.

    Attributes:
        negated_share: of clauses with a tone, those that say it by negating.
        second_clause_share: of texts that are not mixed, those with a second clause.
        mixed_share: of positive and negative texts, those with a clause of the opposite tone.
        balanced_share: of neutral texts, those with one positive and one negative clause.
        wish_share: of texts, those that end in a wish.
        contrary_share: of texts beside a good or a bad score, those whose tone is the opposite of the score.
        cause_weight: how many times likelier a theme is when something happened that speaks for it: a late parcel for
            delivery, damaged goods for quality, a promotion, a price rise.
    """

    negated_share: float = 0.2
    second_clause_share: float = 0.35
    mixed_share: float = 0.15
    balanced_share: float = 0.5
    wish_share: float = 0.12
    contrary_share: float = 0.05
    cause_weight: float = 6.0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)


@dataclass(frozen=True)
class Moods:
    """How a mood comes about, and what scores it makes.

    Attributes:
        satisfaction_weight: correlation of a mood with the person's lasting satisfaction.
        bad_service_drop: standard deviations that a badly served order takes from the mood about it.
        named_fault_drop: what the score of the very thing that went wrong loses beyond that: service when late, product
            when damaged.
        item_weight: correlation of a question's answer with the mood.
        centre: of the answers, as a share of the scale.
        spread: standard deviation of the answers, as a share of the scale.
    """

    satisfaction_weight: float = 0.8
    bad_service_drop: float = 1.2
    named_fault_drop: float = 0.6
    item_weight: float = 0.85
    centre: float = 0.8
    spread: float = 0.2


@dataclass(frozen=True)
class Surveys:
    """Who is asked and who answers.

    Attributes:
        transactional_share: of delivered orders, those after which the customer is to be asked.
        relationship_share: of customers who bought in the year before a quarterly wave, those who are to be asked.
        throttle_days: nobody who was sent an invitation in so many days before is sent another.
        bounced_share: of people, those whose address does not work.
        answer_share: of average customers without tenure, those who answer what reaches them.
        satisfaction_log_odds: of answering, per standard deviation of satisfaction.
        tenure_log_odds: of answering, per year since the first purchase, of at most three.
        skipped_item_share: of questions in an answered survey, those left out.
        comment_share: of answered surveys, those with a text.
    """

    transactional_share: float = 0.35
    relationship_share: float = 0.4
    throttle_days: int = 45
    bounced_share: float = 0.03
    answer_share: float = 0.22
    satisfaction_log_odds: float = 0.5
    tenure_log_odds: float = 0.25
    skipped_item_share: float = 0.05
    comment_share: float = 0.4

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)


@dataclass(frozen=True)
class Reviews:
    """Who reviews an order.

    Attributes:
        review_share: of delivered orders with an account, those that a customer in an average mood reviews.
        extreme_mood_share: what each standard deviation of the mood away from the average, up or down, adds to that.
        edited_share: of reviews, those changed later, in a new mood.
    """

    review_share: float = 0.1
    extreme_mood_share: float = 0.08
    edited_share: float = 0.04

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)


@dataclass(frozen=True)
class Mentions:
    """Who speaks of the shop in public.

    Attributes:
        handle_share: of people, those whose social handle the shop knows.
        per_year: mentions of a customer who speaks in public, as long as they are one.
        speaking_share: of people, those who speak in public, with a known handle or not.
        repost_share: of mentions, those that are reposted by others.
        bot_share: of all mentions, those by bots.
    """

    handle_share: float = 0.25
    per_year: float = 0.5
    speaking_share: float = 0.3
    repost_share: float = 0.15
    bot_share: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)
        if self.bot_share == 1:
            raise SourceError("Mentions: bot_share is 1; expected less: bots are counted beside the other mentions")


@dataclass(frozen=True)
class Support:
    """Who asks for help, and how it goes.

    Attributes:
        bad_service_share: of badly served orders, those that lead to a contact.
        other_share: of well served orders, the same.
        auto_reply_share: of written contacts, those that a machine confirms at once.
        first_reply_hours: mean business hours to the first reply of a person, by channel: phone, email, chat, social.
        resolve_hours: mean business hours from the last reply to the solution.
        touches_share: of contacts, those that one reply does not solve; again of those that two do not, and so on.
        reopened_share: of solved contacts, those opened again.
        csat_share: of solved contacts, those that are rated.
        slow_drop: standard deviations of mood lost per business day of waiting for the first reply, of at most three.
    """

    bad_service_share: float = 0.45
    other_share: float = 0.05
    auto_reply_share: float = 0.9
    first_reply_hours: tuple[float, float, float, float] = (0.05, 6.0, 0.2, 3.0)
    resolve_hours: float = 4.0
    touches_share: float = 0.3
    reopened_share: float = 0.08
    csat_share: float = 0.4
    slow_drop: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        refuse_impossible_shares(self)


@dataclass(frozen=True)
class Voice:
    """All that is planted in what the customers say."""

    texts: Texts = field(default_factory=Texts)
    moods: Moods = field(default_factory=Moods)
    surveys: Surveys = field(default_factory=Surveys)
    reviews: Reviews = field(default_factory=Reviews)
    mentions: Mentions = field(default_factory=Mentions)
    support: Support = field(default_factory=Support)
