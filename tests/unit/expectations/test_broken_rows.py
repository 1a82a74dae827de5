"""The query for the rows that break a rule finds the very rows that Great Expectations calls unexpected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from expectations import custom
from expectations.broken_rows import CONDITIONS, OF_NO_ROW, REPEATED, broken_rows_sql
from expectations.runner import _context, _datasource, _expectation
from expectations.suite import LAYERS, Rule, Suite, load_suites

ROWS = """
    select range as number, if(range <> 7, range, null) as sometimes, null::integer as never, range % 3 as third,
        range % 2 = 0 as is_even, if(range % 5 = 0, null, if(range % 2 = 0, 'a', 'it''s')) as code,
        if(range < 4, 1.5, range / 4) as amount
    from range(20)
"""
ROW_RULES: list[tuple[str, dict[str, Any]]] = [
    ("column_values_to_not_be_null", {"column": "number"}),
    ("column_values_to_not_be_null", {"column": "sometimes"}),
    ("column_values_to_not_be_null", {"column": "code", "mostly": 0.5}),
    ("column_values_to_be_unique", {"column": "number"}),
    ("column_values_to_be_unique", {"column": "sometimes"}),
    ("column_values_to_be_unique", {"column": "code"}),
    ("column_values_to_be_unique", {"column": "amount"}),
    ("compound_columns_to_be_unique", {"column_list": ["number", "third"]}),
    ("compound_columns_to_be_unique", {"column_list": ["is_even", "third"]}),
    ("compound_columns_to_be_unique", {"column_list": ["third", "code"]}),
    ("compound_columns_to_be_unique", {"column_list": ["never", "code"]}),
    ("column_values_to_be_in_set", {"column": "code", "value_set": ["a"]}),
    ("column_values_to_be_in_set", {"column": "code", "value_set": ["it's", "b"]}),
    ("column_values_to_be_in_set", {"column": "is_even", "value_set": [True], "mostly": 0.9}),
    ("column_values_to_be_in_set", {"column": "third", "value_set": [0, 2]}),
    ("column_values_to_be_in_set", {"column": "never", "value_set": [1]}),
    ("column_values_to_not_be_in_set", {"column": "code", "value_set": ["it's"]}),
    ("column_values_to_not_be_in_set", {"column": "third", "value_set": [1]}),
    ("column_values_to_be_between", {"column": "number", "min_value": 3}),
    ("column_values_to_be_between", {"column": "amount", "min_value": 1.25, "max_value": 3.5}),
    ("column_values_to_be_between", {"column": "sometimes", "max_value": 9}),
    ("column_values_to_be_between", {"column": "never", "min_value": 0}),
]


def rule_of(expect: str, arguments: dict[str, Any]) -> Rule:
    return Rule("it_is_well", "Why.", "critical", "till", expect, None, arguments)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("create schema marts")
        con.execute(f"create table marts.edges as {ROWS}")
        yield con


def test_the_rows_are_those_that_the_library_finds(
    con: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asked = {"result_format": "COMPLETE", "unexpected_index_column_names": ["number"]}
    with _datasource(_context(tmp_path_factory.mktemp("gx")), con) as datasource:
        asset = datasource.add_query_asset("edges", query="select * from marts.edges")
        batch = asset.add_batch_definition_whole_table("night").get_batch()
        for rule in [rule_of(expect, arguments) for expect, arguments in ROW_RULES]:
            expectation = _expectation(Suite("marts", "edges", (rule,)), rule, None)
            library = batch.validate(expectation, result_format=asked).result
            rows = f"select number from ({broken_rows_sql('marts.edges', rule)}) order by 1"
            ours = [number for (number,) in con.execute(rows).fetchall()]
            assert len(ours) == library["unexpected_count"], rule
            if rule.expect != "compound_columns_to_be_unique":  # of which the library counts rows and names none
                assert ours == sorted(row["number"] for row in library["unexpected_index_list"]), rule


def test_every_kind_of_rule_is_compared_with_the_library_or_finds_rows_by_a_query() -> None:
    compared = {expect for expect, _ in ROW_RULES}
    used = {rule.expect for layer in LAYERS for suite in load_suites(layer) for rule in suite.rules if rule.expect}
    names = {kind: "Expect" + "".join(word.capitalize() for word in kind.split("_")) for kind in used}
    own = {kind for kind, name in names.items() if issubclass(getattr(custom, name, object), custom.ExpectNoRowsOf)}
    assert {"daily_rows_to_be_usual", "last_row_to_be_recent", "recent_values_to_be_usual"} <= own
    assert used - own <= {*CONDITIONS, *REPEATED, *OF_NO_ROW}
    assert {*CONDITIONS, *REPEATED} - {"no_rows_where"} == compared


def test_what_is_not_understood_finds_no_row_rather_than_wrong_ones() -> None:
    strictly = {"column": "number", "min_value": 3, "strict_min": True}
    assert broken_rows_sql("marts.edges", rule_of("column_values_to_be_between", strictly)) is None
    assert broken_rows_sql("marts.edges", rule_of("column_max_to_be_between", {"column": "number"})) is None
    assert broken_rows_sql("marts.edges", rule_of("table_row_count_to_be_between", {"min_value": 1})) is None
