"""Which of their accounts a person uses when.

Belongs here: accounts of one person over time. Does not belong here: what the accounts are called and how they are
reached (`relations/contacts.py`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import customer_ids
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.purchases import FIRST_ACCOUNT, GUEST, SECOND_ACCOUNT
from dagster_project.sources.simulated_shop.streams import Bools, Ints


def first_seconds(block: Block, account: int) -> Ints:
    """Per person, the second of the first purchase with an account, or as a guest; NEVER where there is none."""
    rows = np.flatnonzero(block.purchases.account == account)[::-1]
    seconds = np.full(len(block.people), NEVER)
    seconds[block.purchases.person[rows]] = block.purchases.second[rows]
    return seconds


def accounts_at(block: Block, person: Ints, second: Ints) -> Ints:
    """The account that a person uses at a moment: the second one from its first purchase on."""
    return np.where(first_seconds(block, SECOND_ACCOUNT)[person] <= second, SECOND_ACCOUNT, FIRST_ACCOUNT)


def customer_ids_at(block: Block, person: Ints, second: Ints, present: Bools | None = None) -> pa.Array:
    """The id of the account that a person uses at a moment."""
    return customer_ids(block.people.number[person], accounts_at(block, person, second), present)


def customer_ids_of_orders(block: Block, order: Ints) -> pa.Array:
    """The id of the account of orders, given as rows of the block's purchases; null for a guest's."""
    account = block.purchases.account[order]
    number = block.people.number[block.purchases.person[order]]
    return customer_ids(number, np.maximum(account, FIRST_ACCOUNT), account != GUEST)
