"""Who brings whom to the simulated shop.

Belongs here: invitations by customers, with and without a reward, those that came to nothing, people who pretend to
invite themselves. Does not belong here: who comes by referral (`../people.py`: it is an acquisition channel).

Everybody who came by referral was brought by somebody of the same block who was a customer then; the satisfied are
likelier to be the one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import customer_ids_at, first_purchases, known_since
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import (
    Drawn,
    customer_ids,
    ids,
    labels,
    money,
    order_ids,
    person_ids,
    times,
)
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.purchases import FIRST_ACCOUNT, GUEST, SECOND_ACCOUNT
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, chosen, kept

CHANNELS = ("link", "email", "code")
_CHANNEL_SHARES = (0.5, 0.3, 0.2)
_CHANNEL_OF_REFERRED = "referral"
_TRIES = 12  # to find a referrer who has not left; the few for whom it fails came by themselves after all
_LONGEST_WAIT_DAYS = 30
_NOBODY = -1


@dataclass(frozen=True)
class Referrals:
    """One entry per invitation, in order of time, those after the end included; shape (k,).

    Attributes:
        referrer: row of the person who invites.
        referred: row of the person who comes; -1 where nobody does.
        order: row of the first purchase with the new account; -1 where there is none.
        invited_second: local second of the invitation.
        is_rewarded: whether a reward is promised.
        is_self: whether the two are one person with two accounts.
    """

    referrer: Ints
    referred: Ints
    order: Ints
    invited_second: Ints
    is_rewarded: Bools
    is_self: Bools

    def __len__(self) -> int:
        return len(self.referrer)


def referral_topic(block: Block) -> Drawn:
    """The feed `referrals` and its truth."""
    made, bought = draw_referrals(block), block.purchases
    channel = chosen(block.stream("referrals/channels"), _CHANNEL_SHARES, len(made))
    shown = np.flatnonzero(made.invited_second < block.end_second)
    order = np.maximum(made.order[shown], 0)
    converted = np.where(made.order[shown] >= 0, bought.second[order], NEVER)
    has_come = converted < block.end_second
    referrer, invited = made.referrer[shown], made.invited_second[shown]
    has_reward = has_come & made.is_rewarded[shown]
    reward = np.full(len(shown), block.plan.relations.referrals.reward_cents)
    referred = block.people.number[np.maximum(made.referred[shown], 0)]
    number = ids("f", block.number * 10_000_000 + shown, 10)
    return Drawn(
        feeds={
            "referrals": {
                "referral_id": number,
                "referrer_customer_id": customer_ids_at(block, referrer, invited),
                "channel": labels(CHANNELS, channel[shown]),
                "invited_at": times(block.calendar, invited),
                "referred_customer_id": customer_ids(referred, np.maximum(bought.account[order], 0), has_come),
                "order_id": order_ids(bought.number[order], has_come),
                "converted_at": times(block.calendar, converted, has_come),
                "reward_amount": money(np.where(has_reward, reward, 0)),
                "updated_at": times(block.calendar, np.where(has_come, converted, invited)),
            }
        },
        truth={
            "referrals": {
                "referral_id": number,
                "referrer_person_id": person_ids(block.people.number[referrer]),
                "referrer_satisfaction": pa.array(block.people.satisfaction[referrer]),
                "is_rewarded": pa.array(made.is_rewarded[shown]),
                "is_self_referral": pa.array(made.is_self[shown]),
            }
        },
    )


def draw_referrals(block: Block) -> Referrals:
    """Draw the invitations of a block."""
    plan = block.plan.relations.referrals
    referred, order, referrer, invited = _of_newcomers(block)
    vain, vain_second = _in_vain(block, len(referred))
    own, own_order, own_second = _of_themselves(block)
    nobody = np.full(len(vain), _NOBODY)
    second = np.concatenate([invited, vain_second, own_second])
    is_rewarded = block.stream("referrals/rewards").random(len(second)) < plan.rewarded_share
    is_self = np.arange(len(second)) >= len(referred) + len(vain)
    rows = np.lexsort((np.arange(len(second)), second))
    return Referrals(
        referrer=np.concatenate([referrer, vain, own])[rows],
        referred=np.concatenate([referred, nobody, own])[rows],
        order=np.concatenate([order, nobody, own_order])[rows],
        invited_second=second[rows],
        is_rewarded=(is_rewarded | is_self)[rows],
        is_self=is_self[rows],
    )


def _of_newcomers(block: Block) -> tuple[Ints, Ints, Ints, Ints]:
    """Who came by referral: their row, first order with an account, referrer, and the second of the invitation."""
    channels = [name for name, _ in block.plan.channels]
    by_referral = channels.index(_CHANNEL_OF_REFERRED) if _CHANNEL_OF_REFERRED in channels else NEVER
    first = first_orders(block, FIRST_ACCOUNT)
    rng = block.stream("referrals/newcomers")
    wait = rng.integers(3_600, _LONGEST_WAIT_DAYS * DAY, len(first))
    tries = rng.random((len(first), _TRIES))
    comes = (block.people.acquisition_channel == by_referral) & (first >= 0)
    person = np.flatnonzero(comes)
    invited = block.purchases.second[first[person]] - wait[person]
    referrer = referrers(block, invited, tries[person])
    found = referrer != _NOBODY
    return person[found], first[person[found]], referrer[found], invited[found]


def _in_vain(block: Block, count_converted: int) -> tuple[Ints, Ints]:
    """Invitations to people who never come, as many as the planned share asks for: who invites, and when."""
    share = block.plan.relations.referrals.converted_share
    rng = block.stream("referrals/in_vain")
    count = int(rng.poisson(count_converted * (1 - share) / share))
    second = rng.integers(0, block.plan.horizon_day * DAY, count)
    referrer = referrers(block, second, rng.random((count, _TRIES)))
    return referrer[referrer != _NOBODY], second[referrer != _NOBODY]


def _of_themselves(block: Block) -> tuple[Ints, Ints, Ints]:
    """People who invite their own second account: their row, its first order, and the second of the invitation."""
    rng = block.stream("referrals/themselves")
    pretends = rng.random(len(block.people)) < block.plan.relations.referrals.self_share
    wait = rng.integers(600, 3_600, len(block.people))
    first, second = first_purchases(block, FIRST_ACCOUNT), first_purchases(block, SECOND_ACCOUNT)
    person = np.flatnonzero(pretends & (second < NEVER) & (first + DAY < second))
    return person, first_orders(block, SECOND_ACCOUNT)[person], second[person] - wait[person]


def referrers(block: Block, second: Ints, tries: Floats) -> Ints:
    """For each moment somebody who has an account and has not left, the satisfied likelier; -1 if none is found.

    Args:
        block: the block.
        second: shape (k,).
        tries: uniform draws, shape (k, t): each proposes somebody, and the first who is still there is taken.
    """
    weight = block.plan.relations.referrals.satisfaction_log_weight
    since = known_since(block)
    by_time = np.lexsort((np.arange(len(since)), since))
    by_time = by_time[~block.people.is_prospect[by_time]]
    upto = np.cumsum(kept(np.exp(weight * block.people.satisfaction[by_time])))
    count_known = np.searchsorted(since[by_time], second, side="left")
    total = np.where(count_known > 0, upto[np.maximum(count_known - 1, 0)], 0.0)
    found = np.full(len(second), _NOBODY)
    for proposed in tries.T:
        place = np.minimum(np.searchsorted(upto, kept(proposed * total), side="right"), len(upto) - 1)
        person = by_time[place]
        is_there = (block.gone_second[person] > second) & (count_known > 0) & (place < count_known)
        found = np.where((found == _NOBODY) & is_there, person, found)
    return found


def first_orders(block: Block, account: int) -> Ints:
    """Per person, the row of the first purchase with an account that is not a guest's; -1 where there is none."""
    rows = np.flatnonzero((block.purchases.account == account) & (block.purchases.account != GUEST))[::-1]
    first = np.full(len(block.people), _NOBODY)
    first[block.purchases.person[rows]] = rows
    return first
