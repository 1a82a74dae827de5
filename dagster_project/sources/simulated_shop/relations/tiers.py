"""Tiers of members: up at once, down at the end of a year and only after a grace.

Belongs here: the changes of tier and the feed `tier_changes`. Does not belong here: who is a member (`membership.py`).

What counts is what was paid for regular orders in the 365 days before, less what was refunded in them.
"""

from __future__ import annotations

import numpy as np

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Drawn, customer_ids, labels, times
from dagster_project.sources.simulated_shop.orders import REGULAR
from dagster_project.sources.simulated_shop.relations.membership import Memberships, draw_memberships
from dagster_project.sources.simulated_shop.streams import Ints

REASONS = ("joined", "spend_reached", "spend_missed")
_JOINED, _REACHED, _MISSED = range(3)
_WINDOW = 365 * DAY


def tier_topic(block: Block) -> Drawn:
    """The feed `tier_changes`."""
    memberships = draw_memberships(block)
    person, second, tier, reason = tier_changes(block, memberships)
    shown = np.flatnonzero(second < block.end_second)
    account = memberships.accounts_at(person[shown], second[shown])
    return Drawn(
        feeds={
            "tier_changes": {
                "customer_id": customer_ids(block.people.number[person[shown]], account),
                "tier": labels(block.plan.relations.tiers.names, tier[shown]),
                "valid_from": times(block.calendar, second[shown]),
                "reason": labels(REASONS, reason[shown]),
            }
        }
    )


def tier_changes(block: Block, memberships: Memberships) -> tuple[Ints, Ints, Ints, Ints]:
    """Whose tier changes when, to which and why; by person and time, those after the end included."""
    plan, members = block.plan.relations.tiers, np.flatnonzero(memberships.is_member)
    spends = Spends(block)
    person, second, is_review = _looks(block, memberships, spends)
    tier = np.searchsorted(np.array(plan.from_cents), spends.before(person, second), side="right") - 1
    missed_since = second - plan.grace_days * DAY
    at_year_end = np.searchsorted(np.array(plan.from_cents), spends.before(person, missed_since), side="right") - 1
    tier = np.maximum(np.where(is_review, np.maximum(tier, at_year_end), tier), 0)
    starts, lengths = _runs(person)
    held = np.zeros(len(starts), dtype=np.int64)
    is_change, to = np.zeros(len(person), dtype=np.bool_), tier.copy()
    for step in range(int(lengths.max(initial=0))):
        going = np.flatnonzero(lengths > step)
        rows = starts[going] + step
        moves = np.where(is_review[rows], tier[rows] < held[going], tier[rows] > held[going])
        is_change[rows] = moves
        held[going] = np.where(moves, tier[rows], held[going])
    changed = np.flatnonzero(is_change)
    columns = (
        np.concatenate([members, person[changed]]),
        np.concatenate([memberships.joined_second[members], second[changed]]),
        np.concatenate([np.zeros(len(members), dtype=np.int64), to[changed]]),
        np.concatenate([np.full(len(members), _JOINED), np.where(is_review[changed], _MISSED, _REACHED)]),
    )
    rows = np.lexsort((columns[3], columns[1], columns[0]))
    return columns[0][rows], columns[1][rows], columns[2][rows], columns[3][rows]


class Spends:
    """What each person of a block paid and got back over time.

    Attributes:
        person: of each movement, rising.
        second: of each, rising within a person.
    """

    def __init__(self, block: Block) -> None:
        regular = np.flatnonzero(block.fulfilment.fate == REGULAR)
        bought, refunds = block.purchases, block.refunds
        person = np.concatenate([bought.person[regular], bought.person[refunds.order]])
        second = np.concatenate([block.fulfilment.paid_second[regular], refunds.second])
        cents = np.concatenate([bought.paid_cents[regular], -refunds.cents])
        rows = np.lexsort((np.arange(len(person)), second, person))
        self.person, self.second = person[rows], second[rows]
        self._span = int(self.second.max(initial=0)) + 2 * _WINDOW
        self._keys = self.person * self._span + self.second
        self._upto = np.concatenate([[0], np.cumsum(cents[rows])])

    def before(self, person: Ints, second: Ints) -> Ints:
        """Net cents of persons in the 365 days that end just after a moment."""
        moment = np.clip(second, 0, self._span - 1)
        ends = np.searchsorted(self._keys, person * self._span + moment, side="right")
        begins = np.searchsorted(self._keys, person * self._span + np.maximum(moment - _WINDOW, -1), side="right")
        return np.asarray(self._upto[ends] - self._upto[begins])


def _looks(block: Block, memberships: Memberships, spends: Spends) -> tuple[Ints, Ints, np.ndarray]:
    """When tiers are looked at: a second after joining, at each payment and refund, some time after each year's end."""
    joined = memberships.joined_second
    paid = np.flatnonzero((spends.second >= joined[spends.person]) & memberships.is_member[spends.person])
    members = np.flatnonzero(memberships.is_member)
    reviews = _year_ends(block) + block.plan.relations.tiers.grace_days * DAY
    person = np.concatenate([spends.person[paid], np.repeat(members, len(reviews)), members])
    second = np.concatenate([spends.second[paid], np.tile(reviews, len(members)), joined[members] + 1])
    is_review = np.zeros(len(person), dtype=np.bool_)
    is_review[len(paid) : len(paid) + len(members) * len(reviews)] = True
    kept = np.flatnonzero(second >= joined[person])
    rows = kept[np.lexsort((is_review[kept], second[kept], person[kept]))]
    return person[rows], second[rows], is_review[rows]


def _year_ends(block: Block) -> Ints:
    """Seconds of the midnights between two years."""
    days = block.calendar.days
    years = np.flatnonzero(days.astype("datetime64[Y]").astype("datetime64[D]") == days)
    return np.asarray(years * DAY, dtype=np.int64)


def _runs(person: Ints) -> tuple[Ints, Ints]:
    """Where each person's entries start, and how many they are."""
    _, starts, lengths = np.unique(person, return_index=True, return_counts=True)
    return starts, lengths
