"""What becomes of each order: payment, shipping, delivery, cancellation, refunds.

Belongs here: the moments through which an order passes, and the status that they make at any one moment. Does not
belong here: whether service is bad (`purchases.py` decides, as people leave over it), what is in the order
(`baskets.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from dagster_project.sources.simulated_shop.behaviour import Orders
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.purchases import STORE, Purchases
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, chosen, kept, stream

FATES = ("regular", "cancelled", "unpaid", "test", "gift_card", "zero_value")
REGULAR, CANCELLED, UNPAID, TEST, GIFT_CARD, ZERO_VALUE = range(6)
STATUSES = ("placed", "paid", "shipped", "delivered", "cancelled")
PAYMENTS = ("pending", "paid", "voided", "failed")
REASONS = ("damaged", "wrong_size", "not_as_described", "changed_mind", "late")
_DAMAGED, _LATE = 0, 4
_PROMISED_DAYS = 4
_LATE_DAYS_AT_LEAST = 2
_PART_PERCENT = (20, 71)
MEAN_PART_REFUNDED = 0.45
_CANCELLED_LATE_SHARE = 0.2  # of cancelled orders, those that were on their way


@dataclass(frozen=True)
class Fulfilment:
    """One entry per purchase, shape (m,); moments are local seconds, NEVER where it does not come to that.

    Attributes:
        fate: position in `FATES`; only a REGULAR order that is not wholly refunded counts as a purchase.
        paid_second: paid; at once in the store.
        cancelled_second: cancelled.
        reopened_second: opened again after a cancellation by mistake.
        shipped_second: left the shop.
        delivered_second: arrived.
        promised_day: day by which delivery was promised.
        failed_second: given up as unpaid.
    """

    fate: Ints
    paid_second: Ints
    cancelled_second: Ints
    reopened_second: Ints
    shipped_second: Ints
    delivered_second: Ints
    promised_day: Ints
    failed_second: Ints

    @property
    def days_late(self) -> Ints:
        """Days between promise and delivery; 0 when on time or not delivered."""
        is_delivered = self.delivered_second < NEVER
        return np.where(is_delivered, np.maximum(self.delivered_second // DAY - self.promised_day, 0), 0)

    def take(self, rows: Ints | Bools) -> Fulfilment:
        """Some of the orders."""
        return Fulfilment(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    def status_at(self, second: int | Ints) -> tuple[Ints, Ints, Ints]:
        """How each order stands at a moment after it was placed.

        Args:
            second: local second from the first day's midnight, one or one per order; what happens at it has not
                happened yet.

        Returns:
            Positions in `STATUSES` and in `PAYMENTS`, and the second of the last change, or -1 where there was none.
        """
        paid, cancelled, reopened, shipped, delivered, failed = (
            moments < second
            for moments in (
                self.paid_second,
                self.cancelled_second,
                self.reopened_second,
                self.shipped_second,
                self.delivered_second,
                self.failed_second,
            )
        )
        is_cancelled = cancelled & ~reopened
        status = np.select([is_cancelled, delivered, shipped, paid], [4, 3, 2, 1], 0)
        payment = np.select([is_cancelled, failed, paid], [2, 3, 1], 0)
        changes = np.stack(
            [
                np.where(happened, moments, -1)
                for happened, moments in (
                    (paid, self.paid_second),
                    (cancelled, self.cancelled_second),
                    (reopened, self.reopened_second),
                    (shipped, self.shipped_second),
                    (delivered, self.delivered_second),
                    (failed, self.failed_second),
                )
            ]
        )
        return status.astype(np.int64), payment.astype(np.int64), changes.max(axis=0)


@dataclass(frozen=True)
class Refunds:
    """One entry per refund, in order of time, those after the observed end included; shape (k,).

    Attributes:
        number: of the refund in the shop.
        order: row in the block's `Purchases`.
        second: local second.
        cents: refunded, at most what was paid for the goods.
        reason: position in `REASONS`.
    """

    number: Ints
    order: Ints
    second: Ints
    cents: Ints
    reason: Ints

    def __len__(self) -> int:
        return len(self.number)


def chance_of_refund(orders: Orders, is_bad: Bools | bool, is_late: Bools | bool) -> Floats:
    """Chance that a delivered order is refunded, in part or whole."""
    is_damaged = np.asarray(is_bad) & ~np.asarray(is_late)
    return np.where(is_damaged, orders.damage_refund_share, orders.refund_share)


def draw_fulfilment(plan: ShopPlan, purchases: Purchases, block: int) -> Fulfilment:
    """Draw what becomes of each order of a block."""
    count, placed = len(purchases), purchases.second
    shares = plan.orders
    odd = [
        shares.cancelled_share,
        shares.unpaid_share,
        shares.test_share,
        shares.gift_card_share,
        shares.zero_value_share,
    ]

    def rng(topic: str) -> np.random.Generator:
        return stream(plan.seed, block, f"orders/{topic}")

    fate = chosen(rng("fate"), [1 - sum(odd), *odd], count)
    in_store, is_cancelled = purchases.channel == STORE, fate == CANCELLED
    by_transfer = rng("transfer").random(count) < 0.1
    wait = np.where(by_transfer, rng("slow_payment").integers(DAY // 2, 3 * DAY, count), 0)
    paid = placed + np.where(in_store, 0, wait + rng("payment").integers(30, 1_800, count))
    is_reopened = (fate == REGULAR) & ~in_store & (rng("reopened").random(count) < shares.reopened_share)
    cancelled_late = is_cancelled & ~in_store & (rng("cancelled_late").random(count) < _CANCELLED_LATE_SHARE)
    pause = rng("cancelled").integers(600, DAY, count)
    reopened = paid + pause + rng("reopened_after").integers(3_600, DAY, count)
    shipped = np.where(is_reopened, reopened, paid) + np.where(
        in_store, 0, rng("shipping").integers(DAY // 4, 2 * DAY, count)
    )
    promised = np.where(is_reopened, reopened, paid) // DAY + np.where(in_store, 0, _PROMISED_DAYS)
    delivered = np.where(in_store, shipped, _deliveries(rng("delivery"), purchases, shipped, promised))
    cancelled = np.where(cancelled_late, shipped + pause, placed + pause)
    is_shipped = (fate != UNPAID) & (~is_cancelled | cancelled_late)
    return Fulfilment(
        fate=fate,
        paid_second=np.where((fate != UNPAID) & ~(is_cancelled & (paid >= cancelled)), paid, NEVER),
        cancelled_second=np.where(is_cancelled, cancelled, np.where(is_reopened, paid + pause, NEVER)),
        reopened_second=np.where(is_reopened, reopened, NEVER),
        shipped_second=np.where(is_shipped, shipped, NEVER),
        delivered_second=np.where(is_shipped & ~is_cancelled, delivered, NEVER),
        promised_day=promised,
        failed_second=np.where(fate == UNPAID, placed + DAY, NEVER),
    )


def _deliveries(rng: np.random.Generator, purchases: Purchases, shipped: Ints, promised: Ints) -> Ints:
    """Between shipping and the promised day's evening; late ones two days after it or more."""
    count = len(purchases)
    share = rng.random(count)
    last = promised * DAY + 20 * 3_600
    on_time = shipped + kept(share * np.maximum(last - shipped, 3_600)).astype(np.int64)
    days_late = _LATE_DAYS_AT_LEAST + np.minimum(rng.geometric(0.4, count) - 1, 30)
    late = (promised + days_late) * DAY + rng.integers(8 * 3_600, 20 * 3_600, count)
    return np.where(purchases.is_late, late, on_time)


def draw_refunds(plan: ShopPlan, purchases: Purchases, fulfilment: Fulfilment, block: int) -> Refunds:
    """Draw which delivered orders are refunded, when, and how much of them."""
    rng = stream(plan.seed, block, "orders/refunds")
    count = len(purchases)
    is_refunded = rng.random(count) < chance_of_refund(plan.orders, purchases.is_bad_service, purchases.is_late)
    is_whole = rng.random(count) < plan.orders.whole_refund_share
    percent = rng.integers(*_PART_PERCENT, count)
    wait = rng.integers(DAY, 28 * DAY, count)
    reason = rng.integers(1, _LATE, count)
    order = np.flatnonzero(is_refunded & (fulfilment.fate == REGULAR) & (purchases.paid_cents > 1))
    second = fulfilment.delivered_second[order] + wait[order]
    order = order[np.lexsort((order, second))]
    paid = purchases.paid_cents[order]
    is_late = purchases.is_late[order]
    return Refunds(
        number=block * 10_000_000 + np.arange(len(order)),
        order=order,
        second=fulfilment.delivered_second[order] + wait[order],
        cents=np.where(is_whole[order], paid, np.maximum(paid * percent[order] // 100, 1)),
        reason=np.select([is_late, purchases.is_bad_service[order]], [_LATE, _DAMAGED], reason[order]),
    )
