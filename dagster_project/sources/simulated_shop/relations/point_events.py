"""What is due to happen to the points of members: gifts, spending, what goes back, what ends.

Belongs here: the events of a block's members in order of time. Does not belong here: how many points each moves in the
end (`lots.py`), who is a member (`membership.py`).
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.orders import CANCELLED, REGULAR
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.relations import lots
from dagster_project.sources.simulated_shop.relations.lots import NONE, PointEvents
from dagster_project.sources.simulated_shop.relations.membership import Memberships
from dagster_project.sources.simulated_shop.streams import Bools, Ints

_GOODWILL_AFTER_DAYS, _CORRECTION_AFTER_DAYS = 3, 10


def draw_point_events(block: Block, memberships: Memberships) -> PointEvents:
    """The events that are due to a block's members, those after the end included."""
    drawn = _together([_welcome(block, memberships), *_of_orders(block, memberships), _transfers(memberships)])
    returned = _together([drawn, _reimbursements(block, drawn), _reversals(block, drawn)])
    return _in_order(_together([returned, _ends(block, returned)]))


def last_valid_days(block: Block, second: Ints) -> Ints:
    """The last day on which points given at a moment can be spent."""
    return second // DAY + block.plan.relations.points.lives_days


def _events(kind: int, member: Ints, second: Ints, amount: Ints | int, order: Ints, about: Ints) -> PointEvents:
    return PointEvents(
        member=member,
        second=second,
        kind=np.full(len(member), kind),
        amount=np.broadcast_to(np.asarray(amount, dtype=np.int64), member.shape),
        about=about,
        order=order,
    )


def _together(parts: list[PointEvents]) -> PointEvents:
    return PointEvents(
        **{
            column.name: np.concatenate([getattr(part, column.name) for part in parts])
            for column in fields(PointEvents)
        }
    )


def _in_order(events: PointEvents) -> PointEvents:
    """The events by member and time, each still about the same."""
    rows = np.lexsort((np.arange(len(events)), events.kind, events.second, events.member))
    place = np.empty(len(rows), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    ordered = {column.name: getattr(events, column.name)[rows] for column in fields(events)}
    about = np.where(ordered["about"] == NONE, NONE, place[ordered["about"]]) if len(rows) else ordered["about"]
    return PointEvents(**(ordered | {"about": about}))


def _welcome(block: Block, memberships: Memberships) -> PointEvents:
    member = np.flatnonzero(memberships.is_member)
    none = np.full(len(member), NONE)
    welcome = block.plan.relations.points.welcome
    return _events(lots.BONUS, member, memberships.joined_second[member], welcome, none, none)


def _transfers(memberships: Memberships) -> PointEvents:
    member = np.flatnonzero(memberships.transferred_second < NEVER)
    none = np.full(len(member), NONE)
    return _events(lots.TRANSFER, member, memberships.transferred_second[member], 0, none, none)


def _of_orders(block: Block, memberships: Memberships) -> list[PointEvents]:
    """What the members' orders bring: earnings and promotions, spending, goodwill, corrections."""
    plan, bought, fate = block.plan.relations.points, block.purchases, block.fulfilment.fate
    draws = block.stream("points/orders").random((len(bought), 3))
    is_members = memberships.joined_second[bought.person] <= bought.second
    is_members &= bought.account == memberships.accounts_at(bought.person, bought.second)
    is_kept = is_members & (fate == REGULAR)
    earned = bought.paid_cents // 100 * plan.per_unit
    paid = block.fulfilment.paid_second
    delivered_day = np.minimum(block.fulfilment.delivered_second, NEVER // 2) // DAY

    def made(kind: int, chosen: Bools, second: Ints, amount: Ints | int) -> PointEvents:
        order = np.flatnonzero(chosen)
        amounts = np.broadcast_to(amount, second.shape)[order]
        return _events(kind, bought.person[order], second[order], amounts, order, np.full(len(order), NONE))

    return [
        made(lots.EARN, is_members & (paid < NEVER) & np.isin(fate, [REGULAR, CANCELLED]), paid, earned),
        made(lots.BONUS, is_kept & bought.is_promoted, paid, earned),
        made(
            lots.REDEEM,
            is_members & np.isin(fate, [REGULAR, CANCELLED]) & (draws[:, 0] < plan.redeem_share),
            bought.second,
            round(100 * plan.spent_share),
        ),
        made(
            lots.GOODWILL,
            is_kept & bought.is_bad_service & (draws[:, 1] < plan.goodwill_share),
            (delivered_day + _GOODWILL_AFTER_DAYS) * DAY + DAY // 2,
            plan.goodwill,
        ),
        made(
            lots.CORRECTION,
            is_kept & (draws[:, 2] < plan.correction_share),
            (delivered_day + _CORRECTION_AFTER_DAYS) * DAY + DAY // 2,
            plan.correction,
        ),
    ]


def _reimbursements(block: Block, drawn: PointEvents) -> PointEvents:
    """Points that were spent on an order come back when it is cancelled."""
    rows = np.flatnonzero(drawn.kind == lots.REDEEM)
    rows = rows[block.fulfilment.fate[drawn.order[rows]] == CANCELLED]
    order = drawn.order[rows]
    return _events(lots.REIMBURSE, drawn.member[rows], block.fulfilment.cancelled_second[order], 0, order, rows)


def _reversals(block: Block, drawn: PointEvents) -> PointEvents:
    """Points that were earned with an order go back with its money: all when cancelled, a part with a refund."""
    rows = np.flatnonzero(drawn.kind == lots.EARN)
    earning_of = np.full(len(block.purchases), NONE)
    earning_of[drawn.order[rows]] = rows
    cancelled = rows[block.fulfilment.fate[drawn.order[rows]] == CANCELLED]
    refund = np.flatnonzero(earning_of[block.refunds.order] != NONE)
    refunded = earning_of[block.refunds.order[refund]]
    paid = block.purchases.paid_cents[block.refunds.order[refund]]
    about = np.concatenate([cancelled, refunded])
    return _events(
        lots.REVERSE,
        drawn.member[about],
        np.concatenate([block.fulfilment.cancelled_second[drawn.order[cancelled]], block.refunds.second[refund]]),
        np.concatenate([drawn.amount[cancelled], drawn.amount[refunded] * block.refunds.cents[refund] // paid]),
        drawn.order[about],
        about,
    )


def _ends(block: Block, given: PointEvents) -> PointEvents:
    """Every gift ends at the midnight after its last valid day."""
    rows = np.flatnonzero(lots.gives(given.kind))
    second = (last_valid_days(block, given.second[rows]) + 1) * DAY
    return _events(lots.EXPIRE, given.member[rows], second, 0, np.full(len(rows), NONE), rows)
