"""Who may be one person though no rule says so: what is suggested in a shop where people mistype, and what is true.

Half of the second accounts are opened by somebody who gives other contacts, or the same ones mistyped, so that no rule
can link them; the other half are linked, and the model learns from them. No night is run: landing, the models of
identity and the suggestions are enough.
"""

from __future__ import annotations

import csv
import datetime as dt
import math
import random
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
from built_models import build_models, land
from known_shop import write_settings

from dagster_project.dbt_runner import DbtRunner
from dagster_project.matching.suggestions import write_suggested_merges
from dagster_project.settings import load_settings
from dagster_project.sources.simulated_shop import ShopPlan, simulate

pytest.importorskip("splink", reason="needs the extra [matching]")

PLAN = ShopPlan(customers=2_000, days=300, seed=31)
PLAN = replace(PLAN, orders=replace(PLAN.orders, second_account_share=0.5))
PLAN = replace(PLAN, relations=replace(PLAN.relations, contacts=replace(PLAN.relations.contacts, birthday_share=0.7)))
FEEDS = ("customers", "contacts", "guest_contacts", "orders")
IDENTITY = {"suggests_merges": True, "suggested_from": 0.5}
PREFIX = "case kind when 'account' then 'demo:' else 'demo/guest_order:' end"
IDENTITIES = "scratch.intermediate.int_customer_identities"
Pair = frozenset[str]
Suggestions = dict[Pair, dict[str, Any]]


@dataclass(frozen=True)
class Mistyped:
    """The shop, built up to who is one customer.

    Attributes:
        dbt: its runner, whose build holds the customers.
        missed: pairs of customers who are one person, though no rule links them.
        of_accounts: those of them in which both have an account, and so a name.
        records: of a customer, as settings name them.
    """

    dbt: DbtRunner
    missed: frozenset[Pair]
    of_accounts: frozenset[Pair]
    records: Mapping[str, tuple[str, ...]]

    def suggestions(self, **changed: Any) -> Suggestions:
        """The published pairs, under settings changed by key."""
        settings = load_settings(self.dbt.settings.home.parent / "loyalty.yaml", definitions={"identity": IDENTITY})
        settings = settings.model_copy(update=changed)
        with self.dbt.warehouse.connect() as con:
            outcome = write_suggested_merges(con, settings)
            assert outcome.status == "fitted", outcome.reason
            told = con.execute("from quality.suggested_merges")
            names = [column[0] for column in told.description]
            rows = [dict(zip(names, row, strict=True)) for row in told.fetchall()]
        found = {frozenset((row["customer_key"], row["other_customer_key"])): row for row in rows}
        assert len(found) == len(rows)
        return found

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the build."""
        with self.dbt.warehouse.connect() as con:
            return con.execute(sql).fetchall()


def mistype(text: str, chance: random.Random) -> str:
    """A text with two neighbours swapped, a letter doubled, or one left out."""
    place = chance.randrange(len(text) - 1)
    before, letter, following, after = text[:place], text[place], text[place + 1], text[place + 2 :]
    return chance.choice(
        [before + following + letter + after, before + letter * 2 + following + after, before + following + after]
    )


def another_account(row: dict[str, str], chance: random.Random) -> dict[str, str]:
    """A row of contacts as somebody writes it who opens an account with another address."""
    name, domain = row["email"].split("@")
    email = chance.choice(
        [f"{mistype(name, chance)}@{domain}", f"{name}@other.example", f"{chance.getrandbits(40):x}@{domain}"]
    )
    digit = row["phone"][-3] if row["phone"] else ""
    phone = chance.choice(["", row["phone"][:-3] + str((int(digit) + 1) % 10) + row["phone"][-2:]]) if digit else ""
    given, family = row["full_name"].split(" ", 1)
    names = [row["full_name"]] * 6 + [f"{given} {mistype(family, chance)}"] * 3 + [f"{given} Neumann"]
    birthdays = [row["birthday"]] * 8 + [""] + [row["birthday"][:-1] + str((int(row["birthday"][-1:] or 0) + 1) % 10)]
    changed = {
        "email": email,
        "phone": phone,
        "full_name": chance.choice(names),
        "loyalty_card": "",
        "social_handle": "",
    }
    return row | changed | ({"birthday": chance.choice(birthdays)} if row["birthday"] else {})


def mistyped_contacts(root: Path, person: Mapping[str, str]) -> None:
    """Let every other second account be opened with contacts that no rule links."""
    path, chance, known = root / "deliveries" / "contacts.csv", random.Random(31), set()  # noqa: S311
    with path.open(encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["customer_id"])
    written, seconds = [], 0
    for row in rows:
        is_second = person[f"demo:{row['customer_id']}"] in known
        known.add(person[f"demo:{row['customer_id']}"])
        seconds += is_second
        written.append(another_account(row, chance) if is_second and seconds % 2 else row)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(written)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Mistyped:
    root = tmp_path_factory.mktemp("mistyped")
    simulate(PLAN, root / "deliveries")
    truth = duckdb.sql(f"select {PREFIX} || id, person_id from '{root}/deliveries/truth/identities.parquet'")
    person = dict(truth.fetchall())
    mistyped_contacts(root, person)
    write_settings(root / "loyalty.yaml", root / "home", root / "deliveries")
    settings = load_settings(root / "loyalty.yaml", definitions={"identity": IDENTITY})
    land(settings, dt.datetime(2026, 1, 5, tzinfo=dt.UTC), FEEDS)
    dbt = build_models(settings, PLAN.last_day, "+int_customer_identities", FEEDS)
    with dbt.warehouse.connect() as con:
        con.execute(CUSTOMERS)
        found = con.execute(
            f"select {PREFIX.replace('kind', 'record_kind')} || record_id, customer_key from {IDENTITIES}"
        )
        customer = dict(found.fetchall())
    return who_is_who(dbt, customer, person)


CUSTOMERS = f"""
    create table marts.dim_customers as select distinct customer_key from {IDENTITIES};
    create table marts.fct_customers as
    select customer_key, 1 as count_orders, date '2025-01-01' as first_order_date, date '2025-01-01' as last_order_date
    from marts.dim_customers
"""
"""Facts stand beside the pairs and are not looked at here."""


def who_is_who(dbt: DbtRunner, customer: Mapping[str, str], person: Mapping[str, str]) -> Mistyped:
    """What the rules missed, from the customer and the person of each record."""
    customers, records = defaultdict(set), defaultdict(list)
    for record, key in sorted(customer.items()):
        customers[person[record]].add(key)
        records[key].append(record)
    missed = {frozenset(pair) for found in customers.values() for pair in combinations(found, 2)}
    named = {key for key, found in records.items() if any("guest_order" not in record for record in found)}
    return Mistyped(
        dbt,
        frozenset(missed),
        frozenset(pair for pair in missed if pair <= named),
        {key: tuple(found) for key, found in records.items()},
    )


@pytest.fixture(scope="module")
def suggested(shop: Mistyped) -> Suggestions:
    return shop.suggestions()


def likely(suggested: Suggestions, threshold: float) -> set[Pair]:
    return {pair for pair, row in suggested.items() if row["match_probability"] >= threshold}


def test_most_that_the_rules_missed_of_two_accounts_is_suggested_and_little_else(
    shop: Mistyped, suggested: Suggestions
) -> None:
    """Precision of 95 % at the usual threshold; an account that shares nothing but a name is nobody's to find."""
    found = likely(suggested, 0.9)
    assert len(shop.of_accounts) > 100
    assert len(found & shop.missed) / len(found) >= 0.95
    assert len(found & shop.of_accounts) / len(shop.of_accounts) >= 0.55


def test_probabilities_are_as_often_right_as_they_say(shop: Mistyped, suggested: Suggestions) -> None:
    right = sum(pair in shop.missed for pair in suggested)
    expected = sum(row["match_probability"] for row in suggested.values())
    spread = math.sqrt(sum(row["match_probability"] * (1 - row["match_probability"]) for row in suggested.values()))
    assert abs(right - expected) <= 4 * spread


def test_weight_is_that_of_the_evidence_and_of_two_people_at_random(shop: Mistyped, suggested: Suggestions) -> None:
    """Fellegi and Sunter's sum, from the published parameters and sentences alone."""
    [(prior,)] = shop.rows("select same_person_share from quality.matching_parameters where field = 'whole model'")
    for row in suggested.values():
        told = [float(weight) for weight in re.findall(r"\(([+-][\d.]+)\)", row["evidence"])]
        weight = math.log2(prior / (1 - prior)) + sum(told)
        assert row["match_weight"] == pytest.approx(weight, abs=0.05 * (len(told) + 1) + 1e-9)
        assert row["match_probability"] == pytest.approx(1 / (1 + 2 ** -row["match_weight"]), abs=0.02)


def test_shares_among_strangers_are_those_of_all_pairs(shop: Mistyped, suggested: Suggestions) -> None:
    """Random pairs of customers agree as often as all pairs do, counted without the library."""
    estimated = shop.rows(
        "select other_people_share from quality.matching_parameters where field = 'name' and agreement = 'same'"
    )
    counted = shop.rows(f"""
        with strangers as (
            select records.full_name from {IDENTITIES} as identities
            inner join scratch.intermediate.int_identity_records as records using (record_key)
            qualify row_number() over (partition by identities.customer_key order by identities.record_key) = 1
        ),
        sharers as (select count(*) as sharers from strangers where full_name is not null group by full_name)
        select sum(sharers * (sharers - 1)) / (sum(sharers) * (sum(sharers) - 1)) from sharers
    """)
    assert estimated[0][0] == pytest.approx(counted[0][0], rel=0.15)


def test_nothing_personal_is_told(shop: Mistyped, suggested: Suggestions) -> None:
    with (shop.dbt.settings.home.parent / "deliveries" / "contacts.csv").open(encoding="utf-8", newline="") as stream:
        clear = {
            text.casefold() for row in csv.DictReader(stream) for text in (row["email"], row["phone"], row["full_name"])
        }
    told = {str(cell).casefold() for row in suggested.values() for cell in row.values()}
    sealed = shop.rows(
        "select unnest([full_name, mailbox, phone, birthday]) from scratch.intermediate.int_identity_records"
    )
    assert told & (clear | {text for (text,) in sealed}) - {""} == set()
    assert not list(shop.dbt.settings.home.glob(".matching-*"))


def test_a_pair_that_is_never_the_same_is_not_suggested_again(shop: Mistyped, suggested: Suggestions) -> None:
    """Refused by any record of the two, and in either order; the other pairs stay as they are."""
    pair, row = next(iter(suggested.items()))
    refused = (shop.records[row["other_customer_key"]][-1], shop.records[row["customer_key"]][0])
    definitions = shop.dbt.settings.definitions
    identity = definitions.identity.model_copy(update={"never_the_same": (refused,)})
    again = shop.suggestions(definitions=definitions.model_copy(update={"identity": identity}))
    assert again == {other: told for other, told in suggested.items() if other != pair}


def test_without_originals_only_what_is_the_same_counts(shop: Mistyped, suggested: Suggestions) -> None:
    """Fewer are found, as surely; a name that is mistyped is another one."""
    settings = shop.dbt.settings
    blind = shop.suggestions(privacy=settings.privacy.model_copy(update={"originals": "dropped"}))
    seen = {row[column] for row in blind.values() for column in ("name_agreement", "birthday_agreement")}
    assert {one for one in seen if isinstance(one, str)} <= {"same", "other"}
    found = likely(blind, 0.9)
    assert 0 < len(found) < len(likely(suggested, 0.9))
    assert len(found & shop.missed) / len(found) >= 0.9
