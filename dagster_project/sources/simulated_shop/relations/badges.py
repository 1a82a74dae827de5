"""Badges of members: for orders that arrived, and for each year in the programme.

Belongs here: which badge whom is given when, and the feed `badges`. Does not belong here: who is a member
(`membership.py`), what is earned by spending (`tiers.py`, `points.py`).

Nothing is drawn: badges follow from what members did since they joined.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Drawn, customer_ids, labels, times
from dagster_project.sources.simulated_shop.orders import REGULAR
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.purchases import GUEST
from dagster_project.sources.simulated_shop.relations.membership import Memberships, draw_memberships
from dagster_project.sources.simulated_shop.streams import Ints

BADGES = ("regular", "anniversary")
_REGULAR, _ANNIVERSARY = range(2)


def badge_topic(block: Block) -> Drawn:
    """The feed `badges`."""
    memberships = draw_memberships(block)
    person, second, badge, level = badges_given(block, memberships)
    account = memberships.accounts_at(person, second)
    return Drawn(
        feeds={
            "badges": {
                "customer_id": customer_ids(block.people.number[person], account),
                "badge": labels(BADGES, badge),
                "awarded_at": times(block.calendar, second),
                "level": pa.array(level),
            }
        }
    )


def badges_given(block: Block, memberships: Memberships) -> tuple[Ints, Ints, Ints, Ints]:
    """Who is given a badge when, which and of what level, up to the observed end; by person and time."""
    parts = (_for_orders(block, memberships), _for_years(block, memberships))
    person, second, badge, level = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    shown = np.flatnonzero(second < block.end_second)
    rows = shown[np.lexsort((badge[shown], second[shown], person[shown]))]
    return person[rows], second[rows], badge[rows], level[rows]


def _for_orders(block: Block, memberships: Memberships) -> tuple[Ints, Ints, Ints, Ints]:
    """The badge `regular`, at the delivery of an account's order that makes the number full."""
    bought, delivered = block.purchases, block.fulfilment.delivered_second
    counts = (block.fulfilment.fate == REGULAR) & (bought.account != GUEST) & (delivered < NEVER)
    rows = np.flatnonzero(counts & (delivered >= memberships.joined_second[bought.person]))
    rows = rows[np.lexsort((rows, delivered[rows], bought.person[rows]))]
    person = bought.person[rows]
    _, starts, lengths = np.unique(person, return_index=True, return_counts=True)
    number = np.arange(len(rows)) - np.repeat(starts, lengths) + 1
    levels = np.array(block.plan.relations.badges.order_counts, dtype=np.int64)
    full = np.flatnonzero(np.isin(number, levels))
    level = np.searchsorted(levels, number[full]) + 1
    return person[full], delivered[rows[full]], np.full(len(full), _REGULAR), level


def _for_years(block: Block, memberships: Memberships) -> tuple[Ints, Ints, Ints, Ints]:
    """The badge `anniversary`, whose level counts the spans since joining."""
    span = block.plan.relations.badges.span_days * DAY
    members = np.flatnonzero(memberships.joined_second < block.end_second)
    joined = memberships.joined_second[members]
    spans = (block.end_second - joined) // span if span else np.zeros(len(members), dtype=np.int64)
    person = np.repeat(members, spans)
    level = np.arange(len(person)) - np.repeat(np.cumsum(spans) - spans, spans) + 1
    return person, np.repeat(joined, spans) + level * span, np.full(len(person), _ANNIVERSARY), level
