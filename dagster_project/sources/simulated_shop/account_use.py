"""Which of their accounts a person uses at a moment.

Belongs here: from persons and moments to accounts and their ids. Does not belong here: when accounts are opened
(`accounts.py`), how their owners are reached (`relations/contacts.py`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import customer_ids
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.purchases import FIRST_ACCOUNT, SECOND_ACCOUNT
from dagster_project.sources.simulated_shop.sales import account_ids
from dagster_project.sources.simulated_shop.streams import Bools, Ints


def first_purchases(block: Block, account: int) -> Ints:
    """Per person, the second of the first purchase with an account, or as a guest; NEVER where there is none."""
    rows = np.flatnonzero(block.purchases.account == account)[::-1]
    seconds = np.full(len(block.people), NEVER)
    seconds[block.purchases.person[rows]] = block.purchases.second[rows]
    return seconds


def known_since(block: Block) -> Ints:
    """Per person, the second from which they surely have an account; NEVER for who always buys as a guest."""
    first = np.minimum(first_purchases(block, FIRST_ACCOUNT), first_purchases(block, SECOND_ACCOUNT))
    return np.where(block.people.is_prospect, (block.people.first_day + 1) * DAY, first)


def accounts_at(block: Block, person: Ints, second: Ints) -> Ints:
    """The account that a person uses at a moment: the second one from its first purchase on."""
    return np.where(first_purchases(block, SECOND_ACCOUNT)[person] <= second, SECOND_ACCOUNT, FIRST_ACCOUNT)


def customer_ids_at(block: Block, person: Ints, second: Ints, present: Bools | None = None) -> pa.Array:
    """The id of the account that a person uses at a moment."""
    return customer_ids(block.people.number[person], accounts_at(block, person, second), present)


def customer_ids_of_orders(block: Block, order: Ints) -> pa.Array:
    """The id of the account of orders, given as rows of the block's purchases; null for a guest's."""
    return account_ids(block, block.purchases.take(order))
