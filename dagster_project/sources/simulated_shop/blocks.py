"""A block of people with all that they bought: what every topic is drawn from.

Belongs here: putting the drawn parts of a block together. Does not belong here: drawing them, and the feeds that topics
make of them (`topics.py`).

A topic is a function `(block) -> Drawn`. It takes chance from `block.stream("its name")` alone, makes one row per event
that happened before `block.end_second`, and never looks at what comes after, except for the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from dagster_project.sources.simulated_shop.accounts import Accounts, draw_accounts
from dagster_project.sources.simulated_shop.baskets import Lines, draw_lines
from dagster_project.sources.simulated_shop.calendar import DAY, Calendar
from dagster_project.sources.simulated_shop.catalogue import Catalogue, draw_catalogue
from dagster_project.sources.simulated_shop.columns import Drawn
from dagster_project.sources.simulated_shop.orders import Fulfilment, Refunds, draw_fulfilment, draw_refunds
from dagster_project.sources.simulated_shop.people import People, draw_people
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.purchases import Purchases, draw_purchases
from dagster_project.sources.simulated_shop.streams import Bools, Ints, stream


@dataclass(frozen=True)
class Block:
    """One block of a shop.

    Attributes:
        calendar: days, shop time, local times, and the plan.
        number: of the block, from 0.
        people: real persons, shape (n,).
        gone_second: per person, the local second of leaving for good; NEVER past the horizon, -1 for prospects.
        purchases: in order of time, the continuation past the end included, shape (m,).
    """

    calendar: Calendar
    number: int
    people: People
    gone_second: Ints
    purchases: Purchases

    @property
    def plan(self) -> ShopPlan:
        """The shop."""
        return self.calendar.plan

    @property
    def end_second(self) -> int:
        """The first second that the shop has not seen: midnight after the last observed day."""
        return self.plan.end_day * DAY

    @property
    def has_come(self) -> Bools:
        """Who has bought or registered before the observed end."""
        return self.people.first_day < self.plan.end_day

    @property
    def is_customer_at_end(self) -> Bools:
        """Who has come, is no prospect and has not left."""
        return self.has_come & (self.gone_second >= self.end_second)

    @cached_property
    def catalogue(self) -> Catalogue:
        """What the shop sells; the same in every block."""
        return draw_catalogue(self.plan)

    @cached_property
    def accounts(self) -> Accounts:
        """Accounts opened before the observed end, in order of time."""
        return draw_accounts(self.plan, self.people, self.purchases, self.number)

    @cached_property
    def fulfilment(self) -> Fulfilment:
        """What becomes of each purchase's order, shape (m,)."""
        return draw_fulfilment(self.plan, self.purchases, self.number)

    @cached_property
    def refunds(self) -> Refunds:
        """Refunds of the block's orders, in order of time."""
        return draw_refunds(self.plan, self.purchases, self.fulfilment, self.number)

    @cached_property
    def lines(self) -> Lines:
        """What lies in the block's baskets."""
        return draw_lines(self.plan, self.catalogue, self.people, self.purchases, self.fulfilment, self.number)

    def stream(self, topic: str) -> np.random.Generator:
        """The block's stream for a topic, from its beginning."""
        return stream(self.plan.seed, self.number, topic)


Topic: TypeAlias = Callable[[Block], Drawn]


def draw_block(calendar: Calendar, number: int) -> Block:
    """Draw a block of the calendar's plan; blocks do not depend on one another."""
    people = draw_people(calendar.plan, calendar, number)
    purchases, gone_second = draw_purchases(calendar.plan, calendar, people, number)
    return Block(calendar, number, people, gone_second, purchases)
