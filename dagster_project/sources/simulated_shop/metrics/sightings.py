"""What of a block's purchases the shop can know at the observed end, and whose they are.

Belongs here: which orders count on the last evening, what then stays of them, owners, days, periods. Does not belong
here: metrics of them (`purchases.py`).

An order counts as things stand that evening: a cancellation or a refund of the next morning is not known yet, and a
payment that is still on its way does not count yet.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import Columns, customer_ids, dates, labels, money, person_ids
from dagster_project.sources.simulated_shop.orders import GIFT_CARD, PAYMENTS, STATUSES, TEST, ZERO_VALUE
from dagster_project.sources.simulated_shop.purchases import GUEST
from dagster_project.sources.simulated_shop.streams import Bools, Ints

OWNERS = ("persons", "accounts")
NOBODY = -1


@dataclass(frozen=True)
class Sightings:
    """The orders that count on the last evening, in order of time; one entry per order, shape (k,).

    Attributes:
        block: the block.
        row: row in the block's purchases.
        day: from the first day.
        net_cents: paid for goods, less the refunds until that evening; above 0.
    """

    block: Block
    row: Ints
    day: Ints
    net_cents: Ints

    @property
    def end_day(self) -> int:
        """The first day that is not seen."""
        return self.block.plan.end_day

    def owner(self, kind: str) -> Ints:
        """Whose each order is, as a number: the person's, guests included, or the account's, else NOBODY."""
        bought = self.block.purchases
        person, account = bought.person[self.row], bought.account[self.row]
        if kind == "persons":
            return person
        return np.where(account == GUEST, NOBODY, 2 * person + account)

    def take(self, rows: Bools) -> Sightings:
        """Some of the orders."""
        return Sightings(self.block, self.row[rows], self.day[rows], self.net_cents[rows])

    @property
    def currency(self) -> list[str]:
        """Currency of each country of the plan, by position."""
        return [currency for _, currency, _ in self.block.plan.countries]

    @property
    def country(self) -> Ints:
        """Country of each order's person."""
        return self.block.people.country[self.block.purchases.person[self.row]]


def sightings(block: Block) -> Sightings:
    """The orders of a block that count on the last evening."""
    bought, come = block.purchases, block.fulfilment
    status, payment, _ = come.status_at(block.end_second)
    is_known = block.refunds.second < block.end_second
    refunded = np.zeros(len(bought), dtype=np.int64)
    np.add.at(refunded, block.refunds.order[is_known], block.refunds.cents[is_known])
    net = bought.paid_cents - refunded
    counts: Bools = ~bought.is_future & (status != STATUSES.index("cancelled")) & (payment == PAYMENTS.index("paid"))
    counts &= ~np.isin(come.fate, (TEST, GIFT_CARD, ZERO_VALUE)) & (net > 0)
    row = np.flatnonzero(counts)
    return Sightings(block, row, bought.day[row], net[row])


def account_table(seen: Sightings) -> Columns:
    """What each account has bought, to the cent, as far as the shop can know; the truth table `accounts_at_end`."""
    owner = seen.owner("accounts")
    known = np.flatnonzero(owner != NOBODY)
    owners, place = np.unique(owner[known], return_inverse=True)
    net, first = np.zeros(len(owners), dtype=np.int64), np.full(len(owners), seen.end_day)
    last = np.zeros(len(owners), dtype=np.int64)
    np.add.at(net, place, seen.net_cents[known])
    np.minimum.at(first, place, seen.day[known])
    np.maximum.at(last, place, seen.day[known])
    days = np.unique(np.stack([place, seen.day[known]]), axis=1)[0]
    number = seen.block.people.number[owners // 2]
    return {
        "customer_id": customer_ids(number, owners % 2),
        "person_id": person_ids(number),
        "currency": labels(seen.currency, seen.block.people.country[owners // 2]),
        "count_orders": pa.array(np.bincount(place, minlength=len(owners))),
        "count_occasions": pa.array(np.bincount(days, minlength=len(owners))),
        "total_net": money(net),
        "first_order_date": dates(seen.block.calendar, first),
        "last_order_date": dates(seen.block.calendar, last),
    }


@dataclass(frozen=True)
class Period:
    """A calendar month or quarter that has ended: first day, and the first day after it, from the shop's first day."""

    period_type: str
    start: dt.date
    first: int
    after: int


def periods(block: Block) -> list[Period]:
    """The months and quarters that have ended by the observed end, the one of the first day included."""
    plan, found = block.plan, []
    for period_type, months in (("month", 1), ("quarter", 3)):
        year, month = plan.first_day.year, (plan.first_day.month - 1) // months * months + 1
        while True:
            start = dt.date(year, month, 1)
            year, month = year + (month - 1 + months) // 12, (month - 1 + months) % 12 + 1
            after = (dt.date(year, month, 1) - plan.first_day).days
            if after > plan.end_day:
                break
            found.append(Period(period_type, start, (start - plan.first_day).days, after))
    return found
