"""How the simulated people are reached, and which of the shop's ids are one person.

Belongs here: the direct identifiers of accounts and of guests' orders, families with one mailbox, namesakes, and the
truth of it. Does not belong here: how names and addresses are written (`../names.py`), faults of typing (`../dirt`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop import names
from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import (
    Columns,
    Drawn,
    customer_ids,
    labels,
    order_ids,
    person_ids,
    times,
)
from dagster_project.sources.simulated_shop.people import NOT_CHOSEN
from dagster_project.sources.simulated_shop.purchases import FIRST_ACCOUNT, GUEST
from dagster_project.sources.simulated_shop.relations.membership import draw_memberships
from dagster_project.sources.simulated_shop.streams import Bools, Ints, chosen

_PHONES_OF_GUESTS_SHARE = 0.5
CHANNEL_SHARES = {"email": 0.55, "app": 0.25, "phone": 0.12, "letter": 0.08}
"""How people want to be written to, and the share of those who say so."""


@dataclass(frozen=True)
class Identity:
    """One entry per person of a block.

    Attributes:
        name: number of the name.
        household: row of the person whose mailbox and telephone this one uses; mostly the own.
        is_namesake: called like the person before, who is somebody else.
        has_phone: whether the telephone number is known.
        has_birthday: whether the birthday is known.
        has_handle: whether the social handle is known.
        has_consent: whether the person agreed to be written to.
    """

    name: Ints
    household: Ints
    is_namesake: Bools
    has_phone: Bools
    has_birthday: Bools
    has_handle: Bools
    has_consent: Bools


def contact_topic(block: Block) -> Drawn:
    """The feeds `contacts` and `guest_contacts`, and the truth of whose they are."""
    identity = draw_identity(block)
    accounts, account_truth = _accounts(block, identity)
    guests, guest_truth = _guests(block, identity)
    merged = {name: pa.concat_arrays([account_truth[name], guest_truth[name]]) for name in account_truth}
    return Drawn(feeds={"contacts": accounts, "guest_contacts": guests}, truth={"identities": merged})


def draw_identity(block: Block) -> Identity:
    """Draw who people are to those who write to them."""
    plan, count = block.plan.relations.contacts, len(block.people)

    def happens(topic: str, share: float) -> Bools:
        return block.stream(f"contacts/{topic}").random(count) < share

    follows = _not_in_a_row(happens("family", plan.family_share))
    is_followed = np.concatenate([follows[1:], [False]])
    is_namesake = _not_in_a_row(happens("namesake", plan.namesake_share)) & ~follows & ~is_followed
    household = np.arange(count) - follows
    base = block.stream("contacts/name").integers(0, len(names.GIVEN) * len(names.FAMILY), count)
    name = base % len(names.GIVEN) + base[household] // len(names.GIVEN) * len(names.GIVEN)
    return Identity(
        name=name[np.arange(count) - is_namesake],
        household=household,
        is_namesake=is_namesake,
        has_phone=happens("phone", plan.phone_share)[household],
        has_birthday=happens("birthday", plan.birthday_share),
        has_handle=happens("handle", block.plan.voice.mentions.handle_share),
        has_consent=happens("consent", plan.consent_share) | (block.people.arms != NOT_CHOSEN).any(axis=0),
    )


def _not_in_a_row(happens: Bools) -> Bools:
    """Only what happens to a person and not to the one before: who is followed follows nobody."""
    before = np.concatenate([[True], happens[:-1]])
    return happens & ~before


def _accounts(block: Block, identity: Identity) -> tuple[Columns, Columns]:
    made, people = block.accounts, block.people
    person, number = made.person, people.number[made.person]
    drawn = chosen(
        block.stream("contacts/account_styles"), block.plan.relations.contacts.address_style_shares, 2 * len(people)
    )
    style = np.where(made.account == FIRST_ACCOUNT, 0, drawn[2 * person + 1])
    phone_style = block.stream("contacts/phone_styles").integers(0, len(names.PHONE_STYLES), 2 * len(people))
    memberships = draw_memberships(block)
    joined = memberships.joined_second[person]
    carries_card = memberships.transferred_second[person] < block.end_second
    has_card = (joined < block.end_second) & (carries_card | (memberships.account[person] == made.account))
    email = _emails(identity, person, people.number, style)
    columns = {
        "customer_id": customer_ids(number, made.account),
        "email": email,
        "phone": _only(
            names.phones(people.number[identity.household[person]], phone_style[2 * person + made.account]),
            identity.has_phone[person],
        ),
        "full_name": names.full_names(identity.name[person]),
        "birthday": _only(names.days_of_birth(people.birthday[person]), identity.has_birthday[person]),
        "loyalty_card": _only(names.loyalty_cards(number), has_card),
        "social_handle": _only(names.handles(number), identity.has_handle[person]),
        "has_marketing_consent": pa.array(identity.has_consent[person]),
        **_preferences(block, person, 2 * person + made.account),
        "updated_at": times(
            block.calendar, np.where(has_card, np.maximum(joined, made.created_second), made.created_second)
        ),
    }
    return columns, _truth(block, identity, "account", columns["customer_id"], person, email, style)


def _preferences(block: Block, person: Ints, account: Ints) -> Columns:
    """What the owners of accounts state, each account for itself; not all who do are candid."""
    plan, count = block.plan.relations.contacts, 2 * len(block.people)
    is_stated = (block.stream("contacts/is_stated").random(count) < plan.stated_share)[account]
    channel = chosen(block.stream("contacts/preferred_channel"), tuple(CHANNEL_SHARES.values()), count)[account]
    is_candid = (block.stream("contacts/is_candid").random(count) < plan.candid_share)[account]
    any_kind = block.stream("contacts/preferred_kind").integers(0, len(KINDS), count)[account]
    kind = np.where(is_candid, block.people.favourite_kind[person], any_kind)
    return {
        "preferred_channel": labels(tuple(CHANNEL_SHARES), channel, is_stated),
        "preferred_kind": labels(KINDS, kind, is_stated),
    }


def _guests(block: Block, identity: Identity) -> tuple[Columns, Columns]:
    bought = block.purchases
    is_guest = bought.account == GUEST
    order = np.flatnonzero(is_guest & ~bought.is_future)
    person = bought.person[order]
    shares = block.plan.relations.contacts.address_style_shares
    style = chosen(block.stream("contacts/guest_styles"), shares, len(bought))[order]
    phone_style = block.stream("contacts/guest_phones").integers(0, len(names.PHONE_STYLES), len(bought))[order]
    gives_phone = block.stream("contacts/guest_phone").random(len(bought))[order] < _PHONES_OF_GUESTS_SHARE
    email = _emails(identity, person, block.people.number, style)
    phone = names.phones(block.people.number[identity.household[person]], phone_style)
    columns = {
        "order_id": order_ids(bought.number[order]),
        "email": email,
        "phone": _only(phone, gives_phone & identity.has_phone[person]),
    }
    return columns, _truth(block, identity, "guest_order", columns["order_id"], person, email, style)


def _emails(identity: Identity, person: Ints, number: Ints, style: Ints) -> pa.Array:
    """The household's mailbox, in the name of the one who opened it; the other mailbox is the person's own."""
    is_own = style == names.OTHER_MAILBOX
    owner = np.where(is_own, person, identity.household[person])
    return names.addresses(identity.name[owner], number[owner], style)


def _truth(
    block: Block, identity: Identity, kind: str, made_id: pa.Array, person: Ints, email: pa.Array, style: Ints
) -> Columns:
    """Whose an account or a guest's order is, and what makes it hard to tell."""
    is_shared = identity.household != np.arange(len(identity.household))
    is_shared[identity.household[is_shared]] = True
    number = block.people.number
    return {
        "kind": pa.repeat(kind, len(person)),
        "id": made_id,
        "person_id": person_ids(number[person]),
        "email": email,
        "address_style": labels(names.ADDRESS_STYLES, style),
        "is_family_address": pa.array(is_shared[person] & (style != names.OTHER_MAILBOX)),
        "is_namesake": pa.array(identity.is_namesake[person]),
    }


def _only(values: pa.Array, present: Bools) -> pa.Array:
    return pc.if_else(pa.array(present), values, pa.scalar(None, values.type))
