"""The points ledger of the loyalty programme.

Belongs here: settled events as rows of the feed `points_ledger`, and what every member has at the end. Does not belong
here: which events there are (`point_events.py`), what they move (`lots.py`).

A balance is the sum of a person's rows; it is never below zero at any row, in the order of time and `event_number`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import (
    Columns,
    Drawn,
    customer_ids,
    dates,
    ids,
    labels,
    order_ids,
    person_ids,
    times,
)
from dagster_project.sources.simulated_shop.purchases import FIRST_ACCOUNT, SECOND_ACCOUNT
from dagster_project.sources.simulated_shop.relations import lots
from dagster_project.sources.simulated_shop.relations.lots import NONE, settled
from dagster_project.sources.simulated_shop.relations.membership import draw_memberships
from dagster_project.sources.simulated_shop.relations.point_events import draw_point_events, last_valid_days
from dagster_project.sources.simulated_shop.streams import Bools, Ints

_RECORDED_AFTER = 30
_EXPIRIES_RECORDED_AFTER = 2 * 3_600  # by the run of the night


def points_topic(block: Block) -> Drawn:
    """The feed `points_ledger`, and the truth of the balances."""
    memberships = draw_memberships(block)
    events = draw_point_events(block, memberships)
    moved = settled(events, block.plan.relations.points.redeem_from)
    rows, is_second_leg = _ledger_rows(events.kind, moved)
    kind, second, person = events.kind[rows], events.second[rows], events.member[rows]
    is_transfer = kind == lots.TRANSFER
    points = np.where(is_transfer & ~is_second_leg, -moved[rows], moved[rows])
    account = memberships.accounts_at(person, second)
    account = np.where(is_transfer, np.where(is_second_leg, SECOND_ACCOUNT, FIRST_ACCOUNT), account)
    starts = np.searchsorted(person, person)
    recorded = second + np.where(kind == lots.EXPIRE, _EXPIRIES_RECORDED_AFTER, _RECORDED_AFTER)
    order = events.order[rows]
    shown = np.flatnonzero(recorded < block.end_second)
    names = labels([*lots.KINDS, "transfer_out", "transfer_in"], _name_places(kind, is_second_leg)[shown])
    return Drawn(
        feeds={
            "points_ledger": {
                "event_id": ids("e", block.number * 100_000_000 + shown, 12),
                "event_number": pa.array((np.arange(len(rows)) - starts + 1)[shown]),
                "customer_id": customer_ids(block.people.number[person[shown]], account[shown]),
                "event": names,
                "points": pa.array(points[shown]),
                "order_id": order_ids(block.purchases.number[np.maximum(order[shown], 0)], order[shown] != NONE),
                "effective_at": times(block.calendar, second[shown]),
                "recorded_at": times(block.calendar, recorded[shown]),
                "expires_on": dates(block.calendar, last_valid_days(block, second[shown]), lots.gives(kind[shown])),
            }
        },
        truth={"point_balances": _balances(block, person[shown], kind[shown], points[shown])},
    )


def _ledger_rows(kind: Ints, moved: Ints) -> tuple[Ints, Bools]:
    """Rows of the events that move points, a transfer twice, and whether each is a transfer's second leg."""
    rows = np.flatnonzero(moved != 0)
    rows = np.repeat(rows, 1 + (kind[rows] == lots.TRANSFER))
    is_second_leg = np.concatenate([[False], rows[1:] == rows[:-1]])[: len(rows)]
    return rows, is_second_leg


def _name_places(kind: Ints, is_second_leg: Bools) -> Ints:
    """Positions in the kinds' names, followed by those of the two legs of a transfer."""
    return np.where(kind == lots.TRANSFER, len(lots.KINDS) + is_second_leg, kind)


def _balances(block: Block, person: Ints, kind: Ints, points: Ints) -> Columns:
    """Of every member: what was given, spent, ended and taken back until the end, and what is left."""
    count = len(block.people)
    members = np.unique(person)

    def total(chosen: Bools) -> pa.Array:
        return pa.array(np.bincount(person, weights=points * chosen, minlength=count)[members].astype(np.int64))

    return {
        "person_id": person_ids(block.people.number[members]),
        "points_given": total(lots.gives(kind)),
        "points_redeemed": total(kind == lots.REDEEM),
        "points_expired": total(kind == lots.EXPIRE),
        "points_taken_back": total(np.isin(kind, [lots.REVERSE, lots.CORRECTION])),
        "balance": total(np.ones(len(kind), dtype=np.bool_)),
    }
