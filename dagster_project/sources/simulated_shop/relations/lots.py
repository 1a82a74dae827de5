"""Points as lots: each gift of points is a lot with its own end, and what is spent comes out of the oldest.

Belongs here: running through the members' events, step by step for all members at once. Does not belong here: which
events there are (`point_events.py`), how they stand in the ledger (`points.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagster_project.sources.simulated_shop.streams import Bools, Ints

KINDS = (
    "transfer",
    "expire",
    "reverse_earn",
    "reimburse",
    "bonus",
    "redeem",
    "earn",
    "adjust",
    "adjust",
)
"""What can happen; of what happens to a member in the same second, what stands here earlier comes first."""
TRANSFER, EXPIRE, REVERSE, REIMBURSE, BONUS, REDEEM, EARN, GOODWILL, CORRECTION = range(9)
_GIVES = np.isin(np.arange(9), [REIMBURSE, BONUS, EARN, GOODWILL])
NONE = -1


@dataclass(frozen=True)
class PointEvents:
    """One entry per event that is due, by member and in order of time; shape (k,).

    Attributes:
        member: any number of the member, rising.
        second: local second.
        kind: position in `KINDS`.
        amount: points given, or asked to be taken; of a redemption the share of the balance, in percent; 0 for
            reimbursements, expiries and transfers, whose points follow.
        about: the entry that it is about: of an expiry the gift, of a reversal the earning, of a reimbursement the
            redemption; otherwise NONE.
        order: row of the purchase that caused it; NONE where none did.
    """

    member: Ints
    second: Ints
    kind: Ints
    amount: Ints
    about: Ints
    order: Ints

    def __len__(self) -> int:
        return len(self.member)


def gives(kind: Ints) -> Bools:
    """Whether events of a kind make a lot."""
    return _GIVES[kind]


def settled(events: PointEvents, redeem_from: int) -> Ints:
    """The points that each event really moves, with their sign; 0 where it comes to nothing.

    A redemption takes whole hundreds from the oldest lots, if the balance reaches `redeem_from`. A reversal takes what
    is left of its own lot first, then from the oldest; like a correction, it never takes more than there is. An expiry
    takes what is left of its lot. A transfer moves the whole balance, and changes no lot.

    Args:
        events: of all members.
        redeem_from: balance from which points can be spent.

    Returns:
        Points, shape (k,).
    """
    moved = np.zeros(len(events), dtype=np.int64)
    if not len(events):
        return moved
    _, starts, member_row, lengths = np.unique(
        events.member, return_index=True, return_inverse=True, return_counts=True
    )
    lot = _lots(events, starts[member_row])
    left = np.zeros((len(starts), int(lot.max()) + 1), dtype=np.int64)
    for step in range(int(lengths.max())):
        members = np.flatnonzero(lengths > step)
        rows = starts[members] + step
        for kind in np.unique(events.kind[rows]):
            chosen = events.kind[rows] == kind
            moved[rows[chosen]] = _happen(
                int(kind), events, moved, left, lot, members[chosen], rows[chosen], redeem_from
            )
    return moved


def _lots(events: PointEvents, first_row: Ints) -> Ints:
    """Per event that gives, the number of its lot among the member's, from 0."""
    given = np.concatenate([[0], np.cumsum(gives(events.kind))])
    return np.asarray(given[1:] - given[first_row] - 1, dtype=np.int64)


def _happen(
    kind: int, events: PointEvents, moved: Ints, left: Ints, lot: Ints, members: Ints, rows: Ints, redeem_from: int
) -> Ints:
    """Let one kind of event happen to some members, at most once to each; changes `left` and returns the points."""
    if kind in (BONUS, EARN, GOODWILL, REIMBURSE):
        points = -moved[events.about[rows]] if kind == REIMBURSE else events.amount[rows]
        left[members, lot[rows]] = points
        return points
    balance = left[members].sum(axis=1)
    if kind == TRANSFER:
        return balance
    if kind == REDEEM:
        wanted = np.where(balance >= redeem_from, balance * events.amount[rows] // 100 // 100 * 100, 0)
        _take_oldest(left, members, wanted)
        return -wanted
    if kind == CORRECTION:
        wanted = np.minimum(events.amount[rows], balance)
        _take_oldest(left, members, wanted)
        return -wanted
    own = lot[events.about[rows]]
    remains = left[members, own]
    if kind == EXPIRE:
        left[members, own] = 0
        return -remains
    wanted = np.minimum(events.amount[rows], balance)
    from_own = np.minimum(wanted, remains)
    left[members, own] -= from_own
    _take_oldest(left, members, wanted - from_own)
    return -wanted


def _take_oldest(left: Ints, members: Ints, wanted: Ints) -> None:
    lots = left[members]
    older = np.cumsum(lots, axis=1) - lots
    left[members] = lots - np.clip(wanted[:, None] - older, 0, lots)
