"""Customers of a small shop from build to build: merged, taken apart again, known at an earlier day, forgotten.

The tests follow each other, each on the last build of the one before. The models up to the facts are built, without
checks, Python models and publishing: what is tested ends there.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from corner_shop import NIGHT, SOON, CornerShop

from dagster_project.erasure import ErasureError, forget
from dagster_project.sources.originals import originals_path

FACTS = ("dim_customers", "fct_orders", "fct_order_lines", "fct_refunds", "fct_feedback", "fct_customers")
RECORDS = "select record_kind, record_id, customer_key, began_at from scratch.intermediate.int_customer_identities"


class Shop:
    """The corner shop, built up to its facts as often as asked."""

    def __init__(self, root: Path) -> None:
        self.files = CornerShop.open(root)

    def set_identity(self, **chosen: Any) -> None:
        """Settings of `definitions.identity`."""
        self.files.configure(lambda settings: settings.update(definitions={"identity": chosen}))

    def build(self, as_of: dt.date = NIGHT) -> dict[str, str]:
        """Land what is new and build; gives a hash of each fact."""
        hashes = self.files.build(as_of, " ".join(f"+{name}" for name in (*FACTS, "customer_merges")))
        return {name: hashes[f"marts.{name}"] for name in FACTS}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the last build."""
        return self.files.built(sql)

    def rewrite(self, file: str, change: Callable[[dict[str, str]], None]) -> None:
        """Deliver a file anew, each row changed."""
        path = self.files.deliveries / file
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            change(row)
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def before(shop: Shop) -> dict[str, str]:
    """Hashes of the facts of the shop as it is; the tests of this file follow each other."""
    return shop.build()


def two_strangers(shop: Shop) -> tuple[dict[str, str], dict[str, str]]:
    """Contacts of two accounts, each a customer of its own with orders and no guest's, name and birthday known."""
    alone = {
        customer_id
        for (customer_id,) in shop.rows(
            "select customer_id from marts.dim_customers join marts.fct_customers using (customer_key) "
            "where count_accounts = 1 and count_guest_orders = 0 and count_orders > 0"
        )
    }
    with (shop.files.deliveries / "contacts.csv").open(encoding="utf-8", newline="") as stream:
        known = ("email", "full_name", "birthday")
        found = [row for row in csv.DictReader(stream) if row["customer_id"] in alone and all(map(row.get, known))]
    return found[0], found[-1]


def test_parting_a_pair_restores_the_facts_to_the_byte(shop: Shop, before: dict[str, str]) -> None:
    first, second = two_strangers(shop)

    def mistaken(row: dict[str, str]) -> None:
        if row["customer_id"] == second["customer_id"]:
            row |= {name: first[name] for name in ("email", "full_name", "birthday")}
            row |= {"phone": "", "loyalty_card": "", "social_handle": ""}

    shop.rewrite("contacts.csv", mistaken)
    merged = shop.build()
    ids = (first["customer_id"], second["customer_id"])
    keys = shop.rows(f"select customer_key from scratch.intermediate.int_customers_united where customer_id in {ids}")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert {name for name in FACTS if merged[name] != before[name]} >= {"dim_customers", "fct_orders", "fct_customers"}
    assert shop.rows(f"select linked_by from marts.customer_merges where record_id in {ids}") == [("mailbox",)]

    shop.set_identity(never_the_same=[[f"demo:{one}" for one in ids]])
    assert shop.build() == before


def test_a_night_knows_the_links_of_its_day_and_keys_outlive_it(shop: Shop, before: dict[str, str]) -> None:
    day = NIGHT - dt.timedelta(days=120)
    shop.build(day)
    earlier = {(kind, record): (key, began) for kind, record, key, began in shop.rows(RECORDS)}
    shop.build()
    later = {(kind, record): (key, began) for kind, record, key, began in shop.rows(RECORDS)}
    assert 50 < len(earlier) < len(later)
    assert all(began is None or began.date() <= day for _, began in earlier.values())
    firsts = {key: record for record, (key, _) in sorted(later.items(), key=lambda found: str(found[1][1]))[::-1]}
    for record, (key, _) in earlier.items():
        if later[record][0] != key:  # merged since: into somebody who was there before
            assert later[firsts[later[record][0]]][1] <= later[record][1]
    assert sum(later[record][0] == key for record, (key, _) in earlier.items()) > 0.95 * len(earlier)


def test_who_is_forgotten_leaves_nothing_that_links(shop: Shop, before: dict[str, str]) -> None:
    [(customer_id, key)] = shop.rows(
        "select customer_id, customer_key from marts.dim_customers "
        "join (select distinct customer_key from marts.fct_refunds) using (customer_key) "
        "where count_accounts = 1 and count_guest_orders > 0 order by customer_id limit 1"
    )
    orders = {order for (order,) in shop.rows(f"select order_key from marts.fct_orders where customer_key = '{key}'")}
    refunds = "select count(*), sum(refund_amount) from marts.fct_refunds"
    counted = shop.rows(refunds)
    with (shop.files.deliveries / "contacts.csv").open(encoding="utf-8", newline="") as stream:
        [clear] = [row for row in csv.DictReader(stream) if row["customer_id"] == customer_id]
    landing = shop.files.home / "landing"
    held = f"select count(*) from '{originals_path(shop.files.home)}' where original = '{clear['email']}'"
    assert duckdb.sql(held).fetchall() == [(1,)]

    erased = forget(shop.files.settings(), f"demo:{customer_id}", SOON)
    assert {record.kind for record in erased.records} == {"account", "guest_order"}
    assert erased.rows >= 2
    assert erased.originals >= 1
    assert duckdb.sql(held).fetchall() == [(0,)]
    contacts = f"select distinct email, email__mailbox, phone, full_name from '{landing}/demo/contacts/*.parquet'"
    assert duckdb.sql(f"{contacts} where customer_id = '{customer_id}'").fetchall() == [(None,) * 4]

    for _ in range(2):  # the next night, and one after the source has sent everything again
        shop.build()
        assert shop.rows(f"select count(*) from marts.dim_customers where customer_key = '{key}'") == [(0,)]
        assert shop.rows(f"select count(*) from marts.dim_customers where customer_id = '{customer_id}'") == [(0,)]
        told = shop.rows("select order_key, customer_key, is_revenue from marts.fct_orders")
        assert {order: customer for order, customer, _ in told if order in orders} == dict.fromkeys(orders)
        assert any(is_revenue for order, _, is_revenue in told if order in orders)
        assert shop.rows(refunds) == counted
        assert duckdb.sql(f"{contacts} where customer_id = '{customer_id}'").fetchall() == [(None,) * 4]
        assert duckdb.sql(held).fetchall() == [(0,)]
        shop.rewrite("contacts.csv", lambda row: row.update(phone="0"))


def test_nobody_is_forgotten_by_a_name_that_nobody_has(shop: Shop, before: dict[str, str]) -> None:
    with pytest.raises(ErasureError, match="knows no customer 'demo:nobody'; write source:customer_id"):
        forget(shop.files.settings(), "demo:nobody", SOON)


def test_nobody_is_known_before_the_first_build(tmp_path: Path) -> None:
    fresh = CornerShop(tmp_path)
    fresh.configure(lambda settings: None)
    with pytest.raises(ErasureError, match=r"no build lies in .*run `loyalty run` first"):
        forget(fresh.settings(), "demo:c1", SOON)
