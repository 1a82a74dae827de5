"""dbt's unit tests under the settings of each example, and a night on which no source sent a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

EXAMPLES = ("demo", "olist", "online_retail", "cdnow")
TESTED = dict.fromkeys(EXAMPLES, "models/staging") | {"demo": "models"}
"""The models after staging are the same for every shop, and so are their tests' rows and variables: once is enough."""

every_example = pytest.mark.parametrize("example", EXAMPLES)


@every_example
def test_unit_tests_of_the_sql_pass(example: str, empty_night_of: Callable[[str], Any]) -> None:
    night = empty_night_of(example)
    unbuilt = {result.unique_id: result.message for result in night.built if not result.has_passed}
    assert not unbuilt, _told(unbuilt)

    results = night.dbt.unit_test(night.as_of, TESTED[example])

    failed = {result.unique_id: result.message for result in results if not result.has_passed}
    assert not failed, _told(failed)
    assert results
    assert {result.unique_id for result in results} == night.unit_tests(TESTED[example])


@every_example
def test_models_have_the_columns_that_their_yml_names(example: str, empty_night_of: Callable[[str], Any]) -> None:
    night = empty_night_of(example)
    with night.dbt.warehouse.connect() as con:
        rows = con.execute(
            "select schema_name || '.' || table_name, list(column_name) from duckdb_columns() "
            "where not internal group by schema_name, table_name"
        ).fetchall()
    found = {table: set(columns) for table, columns in rows}
    named = night.named_columns()
    assert named
    assert {table: found.get(table) for table in named} == named


def test_a_night_without_rows_gives_empty_tables(empty_night_of: Callable[[str], Any]) -> None:
    night = empty_night_of("demo")
    facts = ("dim_customers", "dim_products", "fct_orders", "fct_order_lines", "fct_refunds", "fct_feedback")
    told = ("fct_customers", "fct_customer_months", "cohort_retention", "rfm_segments", "loyalty_metrics")
    with night.dbt.warehouse.connect() as con:
        rows = {name: con.execute(f"select count(*) from marts.{name}").fetchone() for name in facts + told}
        unreconciled = con.execute("select count(*) from quality.reconciliation where not is_reconciled").fetchone()
        compared = con.execute("select count(*) from quality.reconciliation").fetchone()
    assert rows == dict.fromkeys(rows, (0,))
    assert unreconciled == (0,)
    assert compared is not None
    assert compared[0] > 0


def _told(failed: dict[str, str]) -> str:
    return "\n\n".join(f"{name}\n{message}" for name, message in failed.items())
