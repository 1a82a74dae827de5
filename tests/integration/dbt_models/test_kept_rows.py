"""Whatever a shop sends: each row is in a mart, excluded for one reason or refused, and its money with it.

Deliveries are drawn at random and read by the compiled SQL from the raw rows to the facts of orders, lines and refunds.
What must come in is counted in plain Python from the drawn texts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tiny_shop import in_memory

AS_OF_ENDS = "2026-01-01"  # by the wall clock of the shop
STAGED = ("orders", "order_lines", "refunds")
GIVEN = ("int_customers_united", "int_customer_identities", "int_exchange_rates_filled")
MODELS = (
    "int_orders_united", "int_order_lines_united", "int_refunds_united", "int_orders_valued", "int_customer_occasions",
    "fct_orders", "fct_order_lines", "fct_refunds", "order_exclusions",
)  # fmt: skip
FACTS = ("fct_orders", "fct_order_lines", "fct_refunds", "order_exclusions")
NAMES = ("order_id", "refund_id")
Rows = dict[str, list[dict[str, Any]]]


class Deliveries:
    """The models from raw rows to facts in memory; customers c0 to c3 are known, c3 of wholesale, and no rate is."""

    def __init__(self, night: Any) -> None:
        nodes = {node["name"]: node for node in night.dbt.manifest()["nodes"].values()}
        self._con = duckdb.connect(config={"threads": 1})
        with night.dbt.warehouse.connect() as built:
            for schema in ("raw", "staging", "intermediate", "marts"):
                self._con.execute(f"create schema {schema}")
            tables = [f"scratch.raw.demo__{table}" for table in STAGED]
            tables += [f"scratch.intermediate.{name}" for name in GIVEN]
            for table in [*tables, "marts.exclusion_reasons", "marts.dim_products"]:
                frame = built.sql(f"from {table}").to_arrow_table()  # noqa: F841
                self._con.execute(f"create table {table.removeprefix('scratch.')} as from frame")
        self._con.execute(
            "insert into intermediate.int_customers_united by name select 'demo' as source_name, "
            "'c' || n as customer_id, 'key ' || n as customer_key, case n when 3 then 'wholesale' end as customer_type "
            "from range(4) as n (n)"
        )
        self._staging = {table: in_memory(night.compiled_model(f"stg_demo__{table}")) for table in STAGED}
        self._models = [(f"{nodes[name]['schema']}.{name}", in_memory(night.compiled_model(name))) for name in MODELS]

    def close(self) -> None:
        """Let go of the shop."""
        self._con.close()

    def night(self, rows: Rows) -> dict[str, list[tuple[Any, ...]]]:
        """Every fact and every judged row of a shop that sent these, in the order of their values."""
        for table in STAGED:
            self._con.execute(f"truncate raw.demo__{table}")
            for row in rows[table]:
                told = {
                    **row, "_source": "demo", "_file": table, "_loaded_at": "2026-06-01", "_load_id": "l",
                    "_row_number": row["_row_number"], "_is_deleted": False,
                }  # fmt: skip
                self._con.execute(
                    f"insert into raw.demo__{table} ({', '.join(told)}) values ({', '.join('?' * len(told))})",
                    list(told.values()),
                )
            judged = f"staging.stg_demo__{table}__judged"
            self._con.execute(f"create or replace table {judged} as {self._staging[table]}")
            self._con.execute(
                f"create or replace view staging.stg_demo__{table} as from {judged} where reasons = '' and is_seen"
            )
        for relation, sql in self._models:
            self._con.execute(f"create or replace table {relation} as {sql}")
        found = {name: self._con.sql(f"from marts.{name} order by all").fetchall() for name in FACTS}
        return found | {f"seen_{table}": self._seen(table) for table in STAGED}

    def _seen(self, table: str) -> list[tuple[Any, ...]]:
        return self._con.sql(
            f"select * exclude (is_seen) from staging.stg_demo__{table}__judged where is_seen order by all"
        ).fetchall()

    def ask(self, sql: str) -> Any:
        """The one row of a query to the tables of the last night; its only value, if it is one."""
        [row] = self._con.execute(sql).fetchall()
        return row[0] if len(row) == 1 else row


@pytest.fixture(scope="module")
def deliveries(empty_night_of: Callable[[str], Any]) -> Iterator[Deliveries]:
    found = Deliveries(empty_night_of("demo"))
    yield found
    found.close()


plain_moments = st.builds(
    "{} {:02}:15:00".format, st.dates(dt.date(2025, 11, 1), dt.date(2026, 1, 10)), st.integers(0, 23)
)
odd_moments = st.sampled_from(["2025-12-31 23:59:59", "2026-01-01 00:00:00", "yesterday", None])
moments = st.integers(0, 5).flatmap(lambda kind: plain_moments if kind else odd_moments)
amounts = st.sampled_from(["1.10", "7.25", "19.99", "40"] * 3 + ["0", "x", None])
ORDERS = st.fixed_dictionaries({
    "customer_id": st.sampled_from(["c0", "c1", "c2", "c0", "c1", "c3", "nobody", None]),
    "ordered_at": moments,
    "status": st.sampled_from(["delivered"] * 9 + ["Shipped", "cancelled", "teleported", None]),
    "payment_status": st.sampled_from(["paid"] * 5 + ["failed", None]),
    "currency": st.sampled_from(["EUR"] * 12 + ["eur", "XXX", None]),
    "discount_amount": st.sampled_from(["0"] * 12 + ["1.10", "x", None]),
    "is_test": st.sampled_from(["false"] * 5 + ["true"]),
    "is_gift_card_only": st.sampled_from(["false"] * 5 + ["true"]),
})  # fmt: skip
LINES = st.fixed_dictionaries({
    "order_id": st.sampled_from([""] * 5 + ["of nobody"]),
    "line_number": st.sampled_from(["1", "2", "3"] * 3 + ["first"]),
    "quantity": st.sampled_from(["1", "2", "3"] * 3 + ["-1", "1.5"]),
    "unit_price": amounts,
})  # fmt: skip
REFUNDS = st.fixed_dictionaries({
    "order_id": st.sampled_from([""] * 5 + ["of nobody"]), "refunded_at": moments, "refund_amount": amounts,
})  # fmt: skip


def shop_of(parts: Sequence[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]) -> Rows:
    """Orders with their lines and refunds; every fifth is another version of the one before it."""
    rows: Rows = {table: [] for table in STAGED}
    for number, (order, lines, refunds) in enumerate(parts):
        order_id = f"o{number - (number % 5 == 4)}"
        rows["orders"].append({**order, "order_id": order_id, "_row_number": number})
        for kind, of_order in (("order_lines", lines), ("refunds", refunds)):
            for row in of_order:
                place = len(rows[kind])
                named = {"refund_id": f"r{place}"} if kind == "refunds" else {}
                rows[kind].append({**row, **named, "order_id": row["order_id"] or order_id, "_row_number": place})
    return rows


shops = st.lists(
    st.tuples(ORDERS, st.lists(LINES, min_size=1, max_size=3), st.lists(REFUNDS, max_size=1)), min_size=4, max_size=14
).map(shop_of)


def is_seen(moment: str | None) -> bool:
    """Whether the as-of may know of it; what cannot be read is refused, which is to be seen."""
    return moment is None or moment == "yesterday" or moment < AS_OF_ENDS


def amount(*factors: str | None) -> Decimal:
    product = Decimal(1)
    for factor in factors:
        try:
            product *= Decimal(factor or "")
        except InvalidOperation:
            return Decimal(0)
    return product


def whole(text: str) -> str | None:
    return text if text.lstrip("-").isdigit() else None


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=shops, later=shops, order=st.randoms(use_true_random=False))
def test_every_row_is_kept_excluded_or_refused(deliveries: Deliveries, rows: Rows, later: Rows, order: Random) -> None:
    found = deliveries.night(rows)
    assert_orders_are_kept(deliveries, rows["orders"])
    assert_money_is_kept(deliveries, rows)
    for table in rows.values():
        order.shuffle(table)
    assert deliveries.night(rows) == found, "shuffling the rows changed a fact"
    assert deliveries.night(with_later(rows, later)) == found, "rows of after the as-of changed a fact"


def assert_orders_are_kept(shop: Deliveries, sent: Sequence[dict[str, Any]]) -> None:
    valid, marked, excluded, refused = shop.ask(
        "select count(*) filter (is_valid), count(*) filter (not is_valid), (from (select count(*) "
        "from marts.order_exclusions)), (select count(*) from staging.stg_demo__orders__judged "
        "where is_seen and reasons <> '') from marts.fct_orders"
    )
    assert marked == excluded
    assert valid + excluded + refused == sum(is_seen(row["ordered_at"]) for row in sent)
    assert shop.ask("select count(*) from marts.order_exclusions where exclusion_reason is null") == 0


def assert_money_is_kept(shop: Deliveries, rows: Rows) -> None:
    """Lines and refunds by count and to the cent, in the currency of their order."""
    for table, fact, column in (
        ("order_lines", "fct_order_lines", "line_amount"),
        ("refunds", "fct_refunds", "refund_amount"),
    ):
        kept, refused, total_kept, total_refused, total = shop.ask(
            f"select (select count(*) from marts.{fact}), count(*) filter (reasons <> ''), "
            f"(select coalesce(sum(original_{column}), 0) from marts.{fact}), "
            f"coalesce(sum({column}) filter (reasons <> ''), 0), coalesce(sum({column}), 0) "
            f"from staging.stg_demo__{table}__judged where is_seen"
        )
        counted, money = sent_by_then(rows, table)
        assert kept + refused == counted
        assert total_kept + total_refused == total == money


def sent_by_then(rows: Rows, table: str) -> tuple[int, Decimal]:
    """How many rows the as-of may see, and the money in them; a line is as old as its order."""
    if table == "refunds":
        seen = [row for row in rows[table] if is_seen(row["refunded_at"])]
        return len(seen), sum((amount(row["refund_amount"]) for row in seen), Decimal(0))
    seen = [row for row in rows[table] if line_is_seen(row["order_id"], rows["orders"])]
    return len(seen), sum((amount(whole(row["quantity"]), row["unit_price"]) for row in seen), Decimal(0))


def line_is_seen(order_id: str, sent: Sequence[dict[str, Any]]) -> bool:
    versions = [row for row in sent if row["order_id"] == order_id]
    accepted = [
        row for row in versions
        if is_seen(row["ordered_at"]) and row["ordered_at"] not in (None, "yesterday")
        and row["status"] and row["currency"] and row["discount_amount"] != "x"
    ]  # fmt: skip
    if accepted:
        return True
    readable = [row["ordered_at"] for row in versions if row["ordered_at"] not in (None, "yesterday")]
    return not readable or is_seen(max(readable))


def with_later(rows: Rows, later: Rows) -> Rows:
    """The rows, and those of other orders that came after the as-of; a line without an order would have no time."""
    moved = {"ordered_at": "2026-01-01 00:00:00", "refunded_at": "2026-01-02 10:00:00"}
    known = {row["order_id"] for row in later["orders"]}
    return {
        table: rows[table]
        + [
            row | {key: moved[key] if key in moved else f"later {row[key]}" for key in (*moved, *NAMES) if key in row}
            for row in later[table]
            if table != "order_lines" or row["order_id"] in known
        ]
        for table in rows
    }
