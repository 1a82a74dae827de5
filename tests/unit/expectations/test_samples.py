"""The rows that a failed rule tells: keys of ours or places in files, and nothing that a person could be known by."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from expectations.suite import CheckResult, Rule, Suite

AS_OF = dt.date(2025, 12, 31)


@pytest.fixture
def build(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
    con.execute("create schema marts; attach ':memory:' as scratch; create schema scratch.staging")
    con.execute(
        "create table marts.orders as select 'k' || n as order_key, 'c' || n % 2 as customer_key, "
        "'ann@example.com' as customer_id, n - 3 as amount, date '2025-12-30' + cast(n // 9 as integer) as order_date "
        "from range(10) as t (n)"
    )
    con.execute(
        "create table scratch.staging.stg_till__orders as select 'ann@example.com' as customer_id, "
        "'till.csv' as _file, n as _row_number from range(3) as t (n)"
    )
    con.execute("create table marts.notes as select 'Ann' as name")
    return con


def result_of(build: duckdb.DuckDBPyConnection, folder: Path, layer: str, table: str, rule: Rule) -> CheckResult:
    from expectations.runner import run_suites

    [result] = run_suites(build, [Suite(layer, table, (rule,))], folder / "gx", as_of=AS_OF)
    return result


def condition(text: str) -> Rule:
    return Rule("it_is_well", "Why.", "critical", "till", "no_rows_where", None, {"condition": text})


def query(text: str) -> Rule:
    return Rule("it_is_well", "Why.", "critical", "till", None, text)


def library(expect: str, column: str) -> Rule:
    return Rule("it_is_well", "Why.", "critical", "till", expect, None, {"column": column})


@pytest.mark.parametrize(
    ("layer", "table", "rule", "sample"),
    [
        ("marts", "orders", condition("amount < 0"), "order_key=k0; order_key=k1; order_key=k2"),
        ("marts", "orders", condition("amount < -9"), None),
        ("marts", "orders", condition("order_date > {as_of} - 1"), "order_key=k9"),
        ("marts", "notes", condition("name is not null"), None),
        ("staging", "stg_till__orders", condition("_row_number > 1"), "_file=till.csv, _row_number=2"),
        (
            "marts", "orders",
            query("select customer_id, customer_key, amount from {batch}"),
            "customer_key=c0; customer_key=c1",
        ),
        (
            "marts", "orders",
            library("column_values_to_be_unique", "customer_id"),
            None,
        ),
    ],
)  # fmt: skip
def test_a_failed_rule_tells_keys_in_their_order(
    build: duckdb.DuckDBPyConnection, tmp_path: Path, layer: str, table: str, rule: Rule, sample: str | None
) -> None:
    result = result_of(build, tmp_path, layer, table, rule)
    assert result.sample == sample
    assert "ann" not in repr(result).lower()


def test_no_more_than_five_keys_are_told(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    result = result_of(build, tmp_path, "marts", "orders", condition("amount is not null"))
    assert result.failing_rows == 10
    assert str(result.sample).count("order_key=") == 5
