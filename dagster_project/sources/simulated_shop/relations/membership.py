"""When members of the loyalty programme join, and with which account.

Belongs here: memberships as the shop sees them. Does not belong here: who wants to join (`../people.py`, as purchases
depend on it), points (`points.py`), tiers (`tiers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagster_project.sources.simulated_shop.account_use import accounts_at, first_purchases, known_since
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.purchases import FIRST_ACCOUNT, SECOND_ACCOUNT
from dagster_project.sources.simulated_shop.streams import Bools, Ints

_NOON = DAY // 2


@dataclass(frozen=True)
class Memberships:
    """One entry per person of a block.

    Attributes:
        joined_second: local second of joining; NEVER for others, and for who never has an account to join with.
        account: with which the person joins.
        transferred_second: when points and card move on to the second account; NEVER where they do not.
    """

    joined_second: Ints
    account: Ints
    transferred_second: Ints

    @property
    def is_member(self) -> Bools:
        """Who joins some day."""
        return self.joined_second < NEVER

    def accounts_at(self, person: Ints, second: Ints) -> Ints:
        """The account on which the membership of persons runs at a moment."""
        return np.where(self.transferred_second[person] <= second, SECOND_ACCOUNT, self.account[person])


def draw_memberships(block: Block) -> Memberships:
    """The memberships of a block."""
    everybody = np.arange(len(block.people))
    wanted = np.where(
        block.people.is_member, np.minimum(block.people.joined_day, NEVER // DAY - 1) * DAY + _NOON, NEVER
    )
    known = known_since(block)
    joined = np.where((wanted < NEVER) & (known < NEVER), np.maximum(wanted, known), NEVER)
    account = accounts_at(block, everybody, np.minimum(joined, NEVER - 1))
    takes_along = block.stream("points/transfers").random(len(joined)) < block.plan.relations.points.transfer_share
    switched = first_purchases(block, SECOND_ACCOUNT)
    moves = takes_along & (account == FIRST_ACCOUNT) & (switched < NEVER) & (joined < NEVER)
    return Memberships(joined, account, np.where(moves, switched, NEVER))
