"""Who is one person: what the warehouse links in a dirty shop, compared with whose accounts and orders they truly are.

No night is run: landing and the models of identity are enough. A pair is two accounts or guests' orders. The first test
leaves out what nobody could tell from what was sent, the second counts everything.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import duckdb
import pytest
from built_models import build_models, land
from known_shop import write_settings

from dagster_project.settings import load_settings
from dagster_project.sources.simulated_shop import Dirt, ShopPlan, simulate

Record = tuple[str, str]
Pair = frozenset[Record]
FEEDS = ("customers", "contacts", "guest_contacts", "orders")
"""What who is one person rests on; the others are not landed."""
DIGITS = {"mailbox": r"\d{8}", "phone": r"\d{8}$"}
"""In clean feeds these digits are the mailbox and the telephone, however they are written (`names.py`)."""


@dataclass(frozen=True)
class Sent:
    """What a record says without dirt: identifiers by kind, and who bears them."""

    identifiers: frozenset[tuple[str, str]]
    name: str | None
    birthday: str | None


@dataclass(frozen=True)
class People:
    """Records of a shop: the customer that the warehouse says, the person that is true, what was sent of each."""

    customer: Mapping[Record, str]
    person: Mapping[Record, str]
    sent: Mapping[Record, Sent]

    @cached_property
    def undecidable(self) -> set[Record]:
        """Guests' orders with an identifier of two people, and accounts of two people who share one and look alike."""
        owners: dict[tuple[str, str], set[Record]] = defaultdict(set)
        for record, said in self.sent.items():
            for identifier in said.identifiers:
                owners[identifier].add(record)
        found = set()
        for sharers in owners.values():
            people = {self.person[record] for record in sharers}
            found |= {record for record in sharers if len(people) > 1 and record[0] == "guest_order"}
            for one, other in combinations(sharers, 2):
                if self.person[one] != self.person[other] and looks_alike(self.sent[one], self.sent[other]):
                    found |= {one, other}
        return found

    @cached_property
    def connected(self) -> dict[Record, Hashable]:
        """The person, and the part of the person's records that their clean identifiers connect."""
        part: dict[Record, Hashable] = {record: (self.person[record], record) for record in self.sent}
        carriers: dict[Hashable, list[Record]] = defaultdict(list)
        for record, said in self.sent.items():
            for identifier in said.identifiers:
                carriers[self.person[record], identifier].append(record)
        for _ in range(6):  # no person's records form a longer chain
            for group in carriers.values():
                least = min((part[record] for record in group), key=repr)
                part |= dict.fromkeys(group, least)
        return part

    def pairs(self, owner: Mapping[Record, Hashable], left_out: Iterable[Record] = ()) -> set[Pair]:
        """All pairs of records of one owner."""
        owned: dict[Hashable, list[Record]] = defaultdict(list)
        for record in set(self.person) - set(left_out):
            owned[owner[record]].append(record)
        return {frozenset(pair) for group in owned.values() for pair in combinations(group, 2)}


def looks_alike(one: Sent, other: Sent) -> bool:
    """Whether name and birthday leave open that they are one person."""
    return one.name == other.name and (one.birthday == other.birthday or None in (one.birthday, other.birthday))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    root = tmp_path_factory.mktemp("people")
    plan = ShopPlan(customers=6_000, days=400, seed=25)
    plan = replace(plan, orders=replace(plan.orders, second_account_share=0.15))
    simulate(plan, root / "clean")
    simulate(plan, root / "deliveries", Dirt("heavy"))
    write_settings(root / "loyalty.yaml", root / "home", root / "deliveries")
    settings = load_settings(root / "loyalty.yaml")
    land(settings, dt.datetime.now(dt.UTC), FEEDS)
    dbt = build_models(settings, plan.last_day, "+int_customer_identities", FEEDS)
    with dbt.warehouse.connect() as con:
        rows = con.execute(
            "select record_kind, record_id, customer_key from scratch.intermediate.int_customer_identities"
        ).fetchall()
    truth = duckdb.sql(f"select kind, id, person_id from '{root / 'clean' / 'truth' / 'identities.parquet'}'")
    customer = {(kind, key): found for kind, key, found in rows}
    person = {(kind, key): found for kind, key, found in truth.fetchall()}
    assert set(customer) <= set(person)
    # who was erased has no identifiers, and is a customer of their own
    return People({record: customer.get(record, str(record)) for record in person}, person, dict(clean_feeds(root)))


def clean_feeds(root: Path) -> Iterable[tuple[Record, Sent]]:
    """What the clean feeds say of each record."""
    for kind, feed, key in (("account", "contacts", "customer_id"), ("guest_order", "guest_contacts", "order_id")):
        found = duckdb.sql(f"from read_csv('{root / 'clean' / f'{feed}.csv'}', all_varchar = true)")
        for row in found.fetchall():
            said = dict(zip(found.columns, row, strict=True))
            texts = {"mailbox": said["email"], "phone": said["phone"]}
            told = {
                (name, re.search(DIGITS[name], re.sub(r"[-/ ]", "", text))[0]) for name, text in texts.items() if text
            }
            told |= {(name, said[name]) for name in ("loyalty_card", "social_handle") if said.get(name)}
            yield (kind, said[key]), Sent(frozenset(told), said.get("full_name"), said.get("birthday"))


def test_people_are_found_where_somebody_could_tell(people: People) -> None:
    """Precision of 99 %, and 97 % of the pairs that clean identifiers connect, in spite of heavy dirt."""
    said = people.pairs(people.customer, people.undecidable)
    true, reachable = (people.pairs(owner, people.undecidable) for owner in (people.person, people.connected))
    assert len(reachable) > 600
    assert len(said & true) / len(said) >= 0.99
    assert len(said & reachable) / len(reachable) >= 0.97


def test_what_nobody_can_tell_is_mostly_left_alone(people: People) -> None:
    said, true = people.pairs(people.customer), people.pairs(people.person)
    assert len(said & true) / len(said) >= 0.975
    assert 0.8 < len(said & true) / len(true) < 0.95
    wrong = said - true
    told_apart = [pair for pair in wrong if not pair & people.undecidable]
    assert len(told_apart) <= len(said) / 100
