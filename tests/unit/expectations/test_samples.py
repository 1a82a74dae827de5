"""The rows that a failed rule tells: places in files, hashes, words of ours; nothing that names a person."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.keyed_hashes import set_keys
from expectations.runner import run_suites
from expectations.suite import CheckResult, Rule, Suite

AS_OF = dt.date(2025, 12, 31)
KEY = "a key for tests only"
PEOPLE = ("ann@example.com", "ben@example.com", "cem@example.com")
ANN, BEN, CEM = (hmac.new(KEY.encode(), f"till:{one}".encode(), "sha256").hexdigest()[:32] for one in PEOPLE)
FIRST, SECOND = "0" * 31 + "1", "0" * 31 + "2"


@pytest.fixture
def build() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    set_keys(con, KEY)
    con.execute("create schema marts; attach ':memory:' as scratch; create schema scratch.staging")
    con.execute("create schema scratch.raw; create schema quality")
    con.execute(
        f"create table marts.orders as select 'till:' || (['{PEOPLE[0]}', '{PEOPLE[1]}', '{PEOPLE[2]}'])[n] as "
        f"order_key, if(n = 2, '{SECOND}', '{FIRST}') as customer_key, '{PEOPLE[0]}' as email, n as amount, "
        "date '2025-12-28' + n as order_date, if(n = 2, null, 'web') as channel from (values (1), (2), (3)) as t (n)"
    )
    con.execute("create table marts.many as select 'till:' || n as order_key from range(10) as t (n)")
    con.execute("create table marts.customers as from (values ('till:ann@example.com')) as t (customer_key)")
    con.execute(
        "create table scratch.staging.stg_till__orders as select 'ann@example.com' as customer_id, "
        "'till.csv' as _file, n as _row_number from range(3) as t (n)"
    )
    con.execute("create table scratch.raw.till__people as from (values ('ann@example.com')) as t (customer_key)")
    con.execute(f"create table scratch.raw.till__hashed as from (values ('{FIRST}')) as t (customer_key)")
    con.execute("create table marts.numbers as select cast(range as integer) as number from range(12)")
    con.execute("create table marts.silent as select date '2025-10-05' - number as order_date from marts.numbers")
    con.execute("create table scratch.raw.till__models as select 'Ann' as model")
    con.execute("create table marts.notes as select 'Ann' as name")
    con.execute("create table quality.changes as select 'nps' as metric, 'lifetime' as period_type, 'Ann' as name")
    return con


def rule(expect: str, **arguments: Any) -> Rule:
    return Rule("it_is_well", "Why.", "critical", "till", expect, None, arguments)


def condition(text: str) -> Rule:
    return rule("no_rows_where", condition=text)


def query(text: str) -> Rule:
    return Rule("it_is_well", "Why.", "critical", "till", None, text)


def result_of(build: duckdb.DuckDBPyConnection, folder: Path, layer: str, table: str, broken: Rule) -> CheckResult:
    [result] = run_suites(build, [Suite(layer, table, (broken,))], folder / "gx", as_of=AS_OF)
    return result


CASES: list[tuple[str, str, Rule, str | None]] = [
    ("marts", "orders", condition("amount <= 2"), f"order_key_hash={ANN}; order_key_hash={BEN}"),
    ("marts", "orders", condition("amount < -9"), None),
    ("marts", "orders", condition("order_date >= {as_of}"), f"order_key_hash={CEM}"),
    ("marts", "orders", rule("column_values_to_be_unique", column="email"),
     f"order_key_hash={ANN}; order_key_hash={BEN}; order_key_hash={CEM}"),
    ("marts", "orders", rule("column_values_to_not_be_null", column="channel"), f"order_key_hash={BEN}"),
    ("marts", "orders", rule("column_values_to_be_between", column="amount", max_value=2), f"order_key_hash={CEM}"),
    ("marts", "orders", rule("table_row_count_to_be_between", min_value=9), None),
    ("marts", "orders", query("select email, customer_key, amount from {batch}"),
     f"customer_key={FIRST}; customer_key={SECOND}"),
    ("marts", "notes", condition("name is not null"), None),
    ("marts", "customers", condition("true"), f"customer_key_hash={ANN}"),
    ("quality", "changes", condition("true"), "metric=nps, period_type=lifetime"),
    ("raw", "till__models", condition("true"), None),
    ("staging", "stg_till__orders", condition("_row_number > 1"), "_file=till.csv, _row_number=2"),
    ("raw", "till__people", condition("true"),
     "customer_key_hash=" + hmac.new(KEY.encode(), PEOPLE[0].encode(), "sha256").hexdigest()[:32]),
    ("raw", "till__hashed", condition("true"),
     "customer_key_hash=" + hmac.new(KEY.encode(), FIRST.encode(), "sha256").hexdigest()[:32]),
    ("marts", "silent", rule("last_row_to_be_recent", column="order_date"), "last_date=2025-10-05"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "table", "broken", "sample"), CASES)
def test_a_failed_rule_tells_rows_in_the_order_of_their_keys_and_nobody(
    build: duckdb.DuckDBPyConnection, tmp_path: Path, layer: str, table: str, broken: Rule, sample: str | None
) -> None:
    result = result_of(build, tmp_path, layer, table, broken)
    assert result.sample == sample
    assert result.is_passed == (sample is None and result.failing_rows == 0)
    assert "example.com" not in repr(result)
    assert "Ann" not in repr(result)


def test_no_more_than_five_keys_are_told_and_those_are_hashed_of_the_first(
    build: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    result = result_of(build, tmp_path, "marts", "many", condition("true"))
    first = [hmac.new(KEY.encode(), f"till:{n}".encode(), hashlib.sha256).hexdigest()[:32] for n in range(5)]
    assert result.failing_rows == 10
    assert result.sample == "; ".join(f"order_key_hash={one}" for one in first)


def test_without_the_shop_s_key_no_hash_and_no_id_is_told(tmp_path: Path) -> None:
    with duckdb.connect() as con:
        con.execute("create schema marts; create table marts.many as select 'till:ann@example.com' as order_key")
        assert result_of(con, tmp_path, "marts", "many", condition("true")).sample is None
