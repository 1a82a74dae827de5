"""Visits to the web shop and the app, with and without an order.

Belongs here: the feed `visits`. Does not belong here: the orders that some visits lead to (`../purchases.py`).

Customers look in as often as they are about to buy, so visits become rare when somebody leaves, a little later.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import customer_ids_at, known_since
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Drawn, ids, labels, times
from dagster_project.sources.simulated_shop.people import DEVICES, NEVER, PHONE
from dagster_project.sources.simulated_shop.purchases import APP, CHANNELS, GUEST, STORE
from dagster_project.sources.simulated_shop.streams import Ints, kept

_OTHER_DEVICE_SHARE = 0.15
_APP_SHARE_OF_PHONE = 0.5
_MEAN_VISITS_AFTER_LEAVING = 0.7
_MEAN_VISITS_OF_PROSPECTS, _PROSPECTS_LOOK_DAYS = 2.0, 10.0
_PAGES_WITH_ORDER, _PAGES_WITHOUT = 9.0, 4.0


def visit_topic(block: Block) -> Drawn:
    """The feed `visits`."""
    ordering = np.flatnonzero(block.purchases.channel != STORE)
    person, second = _looks(block)
    order = np.concatenate([ordering, np.full(len(person), -1)])
    rng = block.stream("visits/details")
    person = np.concatenate([block.purchases.person[ordering], person])
    begun = np.maximum(block.purchases.second[ordering] - rng.integers(90, 2_400, len(ordering)), 0)
    second = np.concatenate([begun, second])
    device, channel = _devices(block, rng, order, person)
    pages = 1 + rng.poisson(np.where(order >= 0, _PAGES_WITH_ORDER, _PAGES_WITHOUT))
    has_cart = (order >= 0) | (rng.random(len(order)) < block.plan.relations.visits.abandoned_cart_share)
    is_known = (known_since(block)[person] <= second) | (order >= 0)
    is_known &= ~((order >= 0) & (block.purchases.account[np.maximum(order, 0)] == GUEST))
    rows = np.lexsort((order, person, second))
    place = np.flatnonzero(second[rows] < block.end_second)
    shown = rows[place]
    # The visit that ends in a person's first order with an account is already that account's.
    moment = np.where(order[shown] >= 0, block.purchases.second[np.maximum(order[shown], 0)], second[shown])
    return Drawn(
        feeds={
            "visits": {
                "visit_id": ids("w", block.number * 10_000_000 + place, 11),
                "customer_id": customer_ids_at(block, person[shown], moment, is_known[shown]),
                "device": labels(DEVICES, device[shown]),
                "channel": labels(CHANNELS, channel[shown]),
                "started_at": times(block.calendar, second[shown]),
                "count_pages": pa.array(pages[shown].astype(np.int64)),
                "has_cart": pa.array(has_cart[shown]),
            }
        }
    )


def _looks(block: Block) -> tuple[Ints, Ints]:
    """Visits without an order: of customers while they are there, a few after leaving, and of prospects."""
    plan, people, calendar = block.plan.relations.visits, block.people, block.calendar
    rng = block.stream("visits/looks")
    horizon = block.plan.horizon_day * DAY
    starts = people.first_day * DAY
    ends = np.clip(block.gone_second, starts, horizon)
    began, ended = calendar.shop_time(starts), calendar.shop_time(ends)
    count = rng.poisson(kept(plan.per_purchase * people.rate * (ended - began) * ~people.is_prospect))
    person = np.repeat(np.arange(len(people)), count)
    within = kept(began[person] + rng.random(len(person)) * (ended - began)[person])
    has_left = (block.gone_second < NEVER) & ~people.is_prospect
    lingering = np.where(has_left, _MEAN_VISITS_AFTER_LEAVING, people.is_prospect * _MEAN_VISITS_OF_PROSPECTS)
    later = np.repeat(np.arange(len(people)), rng.poisson(lingering))
    mean_days = np.where(people.is_prospect, _PROSPECTS_LOOK_DAYS, plan.after_leaving_days)[later]
    wait = kept(np.minimum(rng.standard_exponential(len(later)) * mean_days, 3_650.0)) * DAY
    after = np.where(people.is_prospect, starts, ends)[later] + wait.astype(np.int64)
    return np.concatenate([person, later]), np.concatenate([calendar.second_at(within), after])


def _devices(block: Block, rng: np.random.Generator, order: Ints, person: Ints) -> tuple[Ints, Ints]:
    """Device and channel of each visit: those of the order, or mostly the favourite device."""
    favourite = block.people.favourite_device[person]
    other = rng.random(len(order)) < _OTHER_DEVICE_SHARE
    device = np.where(other, (favourite + 1) % len(DEVICES), favourite)
    in_app = (device == PHONE) & (rng.random(len(order)) < _APP_SHARE_OF_PHONE)
    row = np.maximum(order, 0)
    device = np.where(order >= 0, block.purchases.device[row], device)
    return device, np.where(order >= 0, block.purchases.channel[row], np.where(in_app, APP, 0))
