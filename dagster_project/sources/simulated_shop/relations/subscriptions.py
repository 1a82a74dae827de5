"""Subscriptions: renewals, pauses, failed payments, cancellations, and beginning again.

Belongs here: the contracts of a block and their events. Does not belong here: orders, which are a choice each time.

A period has thirty days. At each period's end everybody has a chance of their own to have cancelled, Beta-distributed
over people, as in the shifted Beta-geometric model of contracts (Fader and Hardie 2007, How to project customer
retention, Journal of Interactive Marketing 21(1)): of those who came to the k-th renewal, a / (a + b + k - 1) have
cancelled. A failed payment ends some of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import accounts_at, known_since
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import (
    Columns,
    Drawn,
    customer_ids,
    dates,
    ids,
    labels,
    money,
    person_ids,
    times,
)
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.relations.plan import Subscriptions
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, kept

EVENTS = ("started", "renewed", "paused", "resumed", "payment_failed", "cancelled", "ended")
_STARTED, _RENEWED, _PAUSED, _RESUMED, _FAILED, _CANCELLED, _ENDED = range(7)
REASONS = ("too_expensive", "not_needed", "other_shop", "cancelled", "payment_failed")
_REASONS_TO_CANCEL, _BY_CANCELLING, _BY_PAYMENT = 3, 3, 4
PLANS = ("monthly_coffee", "monthly_tea")
PERIOD_DAYS = 30
_RETRY_DAYS, _GIVEN_UP_DAYS = 3, 14
_MEAN_WAIT_DAYS, _MEAN_PAUSE_BEFORE_AGAIN_DAYS = 60.0, 90.0
_LOST_SHARE_OF_FAILED = 0.5
_NO_REASON = -1


@dataclass
class _Log:
    """What happens to subscriptions, as it is found."""

    parts: list[tuple[Ints, ...]] = field(default_factory=list)

    def add(self, event: int, contract: Ints, second: Ints, reason: Ints | int = _NO_REASON) -> None:
        """Note one kind of event for some contracts."""
        size = contract.shape
        self.parts.append((contract, second, np.full(size, event), np.broadcast_to(np.asarray(reason), size)))

    def in_order(self) -> tuple[Ints, ...]:
        """Contract, second, event and reason of all events, by contract and time."""
        contract, second, event, reason = (np.concatenate(columns) for columns in zip(*self.parts, strict=True))
        rows = np.lexsort((event == _ENDED, second, contract))
        return contract[rows], second[rows], event[rows], reason[rows]


@dataclass(frozen=True)
class Contracts:
    """One entry per contract; shape (k,).

    Attributes:
        person: row in the block's people.
        chance_to_cancel: at each renewal.
        started_second: local second.
    """

    person: Ints
    chance_to_cancel: Floats
    started_second: Ints


def subscription_topic(block: Block) -> Drawn:
    """The feed `subscription_events`, and the truth of the contracts."""
    contracts, (contract, second, event, reason) = draw_subscriptions(block)
    starts = np.searchsorted(contract, contract)
    number = np.arange(len(contract)) - starts + 1
    shown = np.flatnonzero(second < block.end_second)
    contract, second, event, reason, number = (c[shown] for c in (contract, second, event, reason, number))
    person, began = contracts.person[contract], contracts.started_second[contract]
    begins_period = (event == _STARTED) | (event == _RENEWED)
    day = second // DAY
    return Drawn(
        feeds={
            "subscription_events": {
                "subscription_id": _contract_ids(block, contract),
                "event_number": pa.array(number),
                "customer_id": customer_ids(block.people.number[person], accounts_at(block, person, began)),
                "plan": labels(PLANS, contract % len(PLANS)),
                "event": labels(EVENTS, event),
                "happened_at": times(block.calendar, second),
                "period_start": dates(block.calendar, day, begins_period),
                "period_end": dates(block.calendar, day + PERIOD_DAYS, begins_period),
                "amount": money(np.full(len(shown), block.plan.relations.subscriptions.cents), begins_period),
                "is_auto": pa.array(event == _RENEWED),
                "reason": labels(REASONS, reason, reason != _NO_REASON),
            }
        },
        truth={"subscriptions": _truth(block, contracts)},
    )


def draw_subscriptions(block: Block) -> tuple[Contracts, tuple[Ints, ...]]:
    """The contracts of a block and their events by contract and time, those after the end included.

    Returns:
        The contracts; and contract, second, event and reason of each event.
    """
    plan, horizon = block.plan.relations.subscriptions, block.plan.horizon_day * DAY
    rng = block.stream("subscriptions")
    chance = kept(rng.beta(plan.a, plan.b, len(block.people)))
    person, second = _first_contracts(block, rng)
    log, persons, seconds = _Log(), [person], [second]
    contract, due = np.arange(len(person)), second + PERIOD_DAYS * DAY
    log.add(_STARTED, contract, second)
    owner, made = person, len(person)
    while len(contract):
        renewed, goes_on, ended = _renewal(rng, plan, chance[owner], contract, due, log)
        rest = kept(np.minimum(rng.exponential(_MEAN_PAUSE_BEFORE_AGAIN_DAYS, len(contract)), 10_000.0))
        back = ended + DAY + (rest * DAY).astype(np.int64)
        again = ~goes_on & (rng.random(len(contract)) < plan.again_share) & (back < horizon)
        goes_on &= renewed < horizon
        fresh = made + np.arange(int(again.sum()))
        made += len(fresh)
        log.add(_STARTED, fresh, back[again])
        persons.append(owner[again])
        seconds.append(back[again])
        contract = np.concatenate([contract[goes_on], fresh])
        owner = np.concatenate([owner[goes_on], owner[again]])
        due = np.concatenate([renewed[goes_on], back[again]]) + PERIOD_DAYS * DAY
    all_persons = np.concatenate(persons)
    return Contracts(all_persons, chance[all_persons], np.concatenate(seconds)), log.in_order()


def _first_contracts(block: Block, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Who begins a first contract within the horizon, and when."""
    count = len(block.people)
    wants = rng.random(count) < block.plan.relations.subscriptions.subscriber_share
    wait = kept(np.minimum(rng.exponential(_MEAN_WAIT_DAYS, count), 10_000.0))
    begins = np.minimum(known_since(block), NEVER // 2) + (wait * DAY).astype(np.int64)
    person = np.flatnonzero(wants & (begins < block.plan.horizon_day * DAY))
    return person, begins[person]


def _renewal(
    rng: np.random.Generator, plan: Subscriptions, chance: Floats, contract: Ints, due: Ints, log: _Log
) -> tuple[Ints, Bools, Ints]:
    """Let contracts come to the end of a period: when each is renewed, whether it is, and when it ends otherwise."""
    count = len(contract)
    cancels = rng.random(count) < chance
    before, why = rng.integers(3_600, PERIOD_DAYS * DAY, count), rng.integers(0, _REASONS_TO_CANCEL, count)
    fails = ~cancels & (rng.random(count) < plan.failed_payment_share)
    is_lost = fails & (rng.random(count) < _LOST_SHARE_OF_FAILED)
    pauses = ~cancels & ~fails & (rng.random(count) < plan.paused_share)
    pause = rng.integers(1, 4, count) * PERIOD_DAYS * DAY
    renewed = np.select([fails, pauses], [due + _RETRY_DAYS * DAY, due + pause], due)
    ended = np.where(cancels, due, due + _GIVEN_UP_DAYS * DAY)
    goes_on = ~cancels & ~is_lost
    log.add(_CANCELLED, contract[cancels], (due - before)[cancels], why[cancels])
    log.add(_FAILED, contract[fails], due[fails])
    log.add(_PAUSED, contract[pauses], due[pauses])
    log.add(_RESUMED, contract[pauses], renewed[pauses] - 1)
    log.add(_ENDED, contract[cancels], ended[cancels], _BY_CANCELLING)
    log.add(_ENDED, contract[is_lost], ended[is_lost], _BY_PAYMENT)
    log.add(_RENEWED, contract[goes_on], renewed[goes_on])
    return renewed, goes_on, ended


def _contract_ids(block: Block, contract: Ints) -> pa.Array:
    return ids("s", block.number * 1_000_000 + contract, 9)


def _truth(block: Block, contracts: Contracts) -> Columns:
    shown = np.flatnonzero(contracts.started_second < block.end_second)
    return {
        "subscription_id": _contract_ids(block, shown),
        "person_id": person_ids(block.people.number[contracts.person[shown]]),
        "chance_to_cancel": pa.array(contracts.chance_to_cancel[shown]),
    }
