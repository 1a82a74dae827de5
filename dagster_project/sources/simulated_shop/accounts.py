"""The accounts that people open, as far as the shop has seen them.

Belongs here: which account belongs to whom, and since when. Does not belong here: mail addresses and names, by which
the shop could tell that two accounts are one person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.people import People
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.purchases import FIRST_ACCOUNT, GUEST, Purchases
from dagster_project.sources.simulated_shop.streams import Ints, stream

_OPENING_HOURS = (8, 22)  # in which people register who do not buy


@dataclass(frozen=True)
class Accounts:
    """One entry per account opened before the observed end, in order of time; shape (k,).

    Attributes:
        person: row in the block's `People`.
        account: FIRST_ACCOUNT or SECOND_ACCOUNT.
        created_second: local second; some minutes before the first purchase with it.
    """

    person: Ints
    account: Ints
    created_second: Ints

    def __len__(self) -> int:
        return len(self.person)


def draw_accounts(plan: ShopPlan, people: People, purchases: Purchases, block: int) -> Accounts:
    """The accounts of a block."""
    rng = stream(plan.seed, block, "accounts")
    minutes_before = rng.integers(60, 1_800, (2, len(people)))
    registered = people.first_day * DAY + rng.integers(
        _OPENING_HOURS[0] * 3_600, _OPENING_HOURS[1] * 3_600, len(people)
    )
    is_used = ~purchases.is_future & (purchases.account != GUEST)
    first_rows = np.flatnonzero(is_used)
    owner = 2 * purchases.person[first_rows] + purchases.account[first_rows]
    used, first = np.unique(owner, return_index=True)
    person, account = used // 2, used % 2
    created = purchases.second[first_rows[first]] - minutes_before[account, person]
    prospects = np.flatnonzero(people.is_prospect & (people.first_day < plan.end_day))
    person = np.concatenate([person, prospects])
    account = np.concatenate([account, np.full(len(prospects), FIRST_ACCOUNT)])
    created = np.concatenate([created, registered[prospects]])
    order = np.lexsort((account, person, created))
    return Accounts(person[order], account[order], created[order])
