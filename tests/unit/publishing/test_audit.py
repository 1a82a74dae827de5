"""The audit: what makes it say no, what it lets pass with a warning, and what its hashes see."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from dagster_project.checks import CHECK_RESULTS
from dagster_project.publishing.audit import AuditFailed, audit, published_tables, table_facts

EXPECTED = {("marts", "orders", "key_is_unique"), ("marts", "orders", "discount_is_never_negative")}


@pytest.fixture
def build() -> Iterator[duckdb.DuckDBPyConnection]:
    """A build whose evidence is in order."""
    with duckdb.connect() as con:
        for schema in ("marts", "models", "quality", "staging"):
            con.execute(f"create schema {schema}")
        con.execute(CHECK_RESULTS)
        con.execute("create table marts.orders as select range as id, 'c' || range as customer from range(5)")
        con.execute("create table staging.orders as from marts.orders")
        con.execute(
            "create table quality.reconciliation as select 'raw' as layer_from, 'marts' as layer_to, "
            "'orders' as entity, 'rows' as measure, 5 as total_from, 5 as total_to, "
            "0 as difference, true as is_reconciled"
        )
        for name, severity in (("key_is_unique", "critical"), ("discount_is_never_negative", "warning")):
            con.execute(
                "insert into quality.check_results "
                "values ('marts', 'orders', ?, 'gx', ?, true, 0, 'observed 0', 'Why.', null, null, 'Mend it.')",
                [name, severity],
            )
        yield con


def test_a_build_in_order_passes_with_the_facts_of_every_public_table(build: duckdb.DuckDBPyConnection) -> None:
    found = audit(build, EXPECTED)
    assert (found.count_checks, found.warnings, found.count_reconciled) == (2, (), 1)
    assert list(found.tables) == ["marts.orders", "quality.check_results", "quality.reconciliation"]
    assert found.tables["marts.orders"].rows == 5


def test_a_check_that_did_not_run_is_no_pass(build: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(AuditFailed, match=r"^1 checks did not run, the first is sum_is_right on marts\.orders; "):
        audit(build, EXPECTED | {("marts", "orders", "sum_is_right")})


def test_a_failed_critical_check_is_named(build: duckdb.DuckDBPyConnection) -> None:
    build.execute(
        "update quality.check_results set is_passed = false, observed = 'observed 3' where check_name = 'key_is_unique'"
    )
    with pytest.raises(
        AuditFailed, match=r"the first is key_is_unique on marts\.orders: observed 3\. Why\. Mend it\. "
    ):
        audit(build, EXPECTED)


def test_a_failed_warning_passes_and_is_told(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("update quality.check_results set is_passed = false where severity = 'warning'")
    assert audit(build, EXPECTED).warnings == ("discount_is_never_negative on marts.orders: observed 0",)


def test_no_reconciliation_is_no_pass(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("delete from quality.reconciliation")
    with pytest.raises(AuditFailed, match=r"quality\.reconciliation is empty: no total was compared"):
        audit(build, EXPECTED)


@pytest.mark.parametrize("state", ["false", "null"])
def test_totals_that_differ_or_could_not_be_compared_are_named(state: str, build: duckdb.DuckDBPyConnection) -> None:
    build.execute(f"update quality.reconciliation set total_to = 4, difference = 1, is_reconciled = {state}")
    with pytest.raises(
        AuditFailed, match="1 totals differ, the first is rows of orders: 5 in raw against 4 in marts, 1 l"
    ):
        audit(build, EXPECTED)


def test_only_public_schemas_are_published(build: duckdb.DuckDBPyConnection) -> None:
    assert "staging.orders" not in published_tables(build)


def test_a_waived_failure_passes_and_is_no_warning_but_told_apart(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("update quality.check_results set is_passed = false, waiver = 'from a until b: moving house' "
                  "where severity = 'critical'")  # fmt: skip
    found = audit(build, EXPECTED)
    assert found.warnings == ()
    assert found.waived == ("key_is_unique on marts.orders: observed 0; waived from a until b: moving house",)


def test_the_content_hash_does_not_know_the_order_of_rows(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("create table marts.turned as select * from marts.orders order by id desc")
    assert table_facts(build, "marts.turned") == table_facts(build, "marts.orders")


@pytest.mark.parametrize(
    "change",
    [
        "update marts.orders set customer = 'c9' where id = 3",
        "update marts.orders set customer = null where id = 3",
        "update marts.orders set customer = '' where id = 3",
        "update marts.orders set customer = case id when 3 then 'c4' when 4 then 'c3' else customer end",
        "update marts.orders set id = case id when 3 then 4 when 4 then 3 else id end",
        "update marts.orders set id = id + case id when 3 then 1 when 4 then -1 else 0 end where customer is not null",
        "delete from marts.orders where id = 3",
        "insert into marts.orders from marts.orders where id = 3",
        "alter table marts.orders alter id type integer",
        "alter table marts.orders rename customer to buyer",
    ],
)
def test_the_content_hash_sees_any_change(change: str, build: duckdb.DuckDBPyConnection) -> None:
    before = table_facts(build, "marts.orders").content_hash
    build.execute(change)
    assert table_facts(build, "marts.orders").content_hash != before


def test_a_value_that_changes_columns_is_seen(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("create table marts.left as select 'a' as one, null::varchar as two, 'b' as three")
    found = set()
    for row in ("'a', null, 'b'", "null, 'a', 'b'", "'b', null, 'a'", "'a', 'b', null", "'a', '', 'b'"):
        build.execute(f"delete from marts.left; insert into marts.left values ({row})")
        found.add(table_facts(build, "marts.left").content_hash)
    assert len(found) == 5


def test_the_engine_hashes_rows_as_it_did(build: duckdb.DuckDBPyConnection) -> None:
    """Seen alike on DuckDB 1.5.5 and 2.0.0; where it changes, versions across the change compare by reading both."""
    build.execute(
        "create table marts.kinds as select 'ä' as word, 1::bigint as number, 1.25::decimal(18, 4) as amount, "
        "1.5 as real, date '2025-12-31' as day, timestamp '2025-12-31 23:59:59' as moment, true as yes, "
        "null::varchar as none, [1, 2] as list"
    )
    assert table_facts(build, "marts.kinds").content_hash == (
        "rowhash-0000000000000000b2af8330b3c812b600000000000000008f274c77dfa6bbbe-b889b8745e48ce90f674da5335d4e785"
    )


def test_the_content_hash_of_nothing_is_the_shape(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("create table marts.none as from marts.orders where false")
    build.execute("create table marts.other as select 1 as id where false")
    facts = [table_facts(build, f"marts.{name}") for name in ("none", "other")]
    assert [found.rows for found in facts] == [0, 0]
    assert facts[0].content_hash != facts[1].content_hash
