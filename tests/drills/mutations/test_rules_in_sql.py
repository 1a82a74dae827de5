"""The rules as plain SQL say what Great Expectations says of them, on tables on either side of each limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
from corner_shop import NIGHT
from rules_in_sql import CONDITIONS, keeps

from expectations.runner import run_suites
from expectations.suite import LAYERS, Rule, Suite, load_suites

RULES: list[tuple[str, dict[str, Any]]] = [
    ("table_row_count_to_be_between", {"min_value": 20}),
    ("table_row_count_to_be_between", {"min_value": 21}),
    ("no_rows_where", {"condition": "number > 18"}),
    ("no_rows_where", {"condition": "sometimes = 7"}),
    ("no_rows_where", {"condition": "number > 18", "at_most": 0.05}),
    ("no_rows_where", {"condition": "number > 17", "at_most": 0.05}),
    ("column_values_to_not_be_null", {"column": "number"}),
    ("column_values_to_not_be_null", {"column": "sometimes"}),
    ("column_values_to_not_be_null", {"column": "sometimes", "mostly": 0.95}),
    ("column_values_to_not_be_null", {"column": "sometimes", "mostly": 0.96}),
    ("column_values_to_not_be_null", {"column": "never"}),
    ("column_values_to_be_unique", {"column": "number"}),
    ("column_values_to_be_unique", {"column": "code"}),
    ("column_values_to_be_unique", {"column": "sometimes"}),
    ("column_values_to_be_in_set", {"column": "code", "value_set": ["a", "b"]}),
    ("column_values_to_be_in_set", {"column": "code", "value_set": ["a"]}),
    ("column_values_to_be_in_set", {"column": "code", "value_set": ["a"], "mostly": 0.5}),
    ("column_values_to_be_in_set", {"column": "code", "value_set": ["a"], "mostly": 0.51}),
    ("column_values_to_be_in_set", {"column": "never", "value_set": ["a"]}),
    ("column_values_to_be_in_set", {"column": "is_even", "value_set": [True], "mostly": 0.5}),
    ("column_values_to_be_in_set", {"column": "is_even", "value_set": [True], "mostly": 0.6}),
    ("column_values_to_not_be_in_set", {"column": "code", "value_set": ["c"]}),
    ("column_values_to_not_be_in_set", {"column": "code", "value_set": ["b"]}),
    ("column_values_to_not_be_in_set", {"column": "code", "value_set": ["b"], "mostly": 0.5}),
    ("compound_columns_to_be_unique", {"column_list": ["code", "number"]}),
    ("compound_columns_to_be_unique", {"column_list": ["code", "third"]}),
    ("column_values_to_be_between", {"column": "number", "min_value": 0}),
    ("column_values_to_be_between", {"column": "number", "min_value": 1}),
    ("column_values_to_be_between", {"column": "number", "min_value": 0, "max_value": 18}),
    ("column_values_to_be_between", {"column": "sometimes", "max_value": 19}),
    ("column_values_to_be_between", {"column": "never", "min_value": 0}),
    *(
        ("columns_to_be_as_told_by", {"key": ["number"], "columns": ["sometimes", "code"], "told_by": told_by})
        for told_by in (
            "marts.edges",
            "(select number, cast(sometimes as decimal(18, 4)) as sometimes, code from marts.edges)",
            "(select number, coalesce(sometimes, 0) as sometimes, code from marts.edges)",
            "(select 19 - number as number, sometimes, code from marts.edges)",
            "(select * from marts.edges where number < 19)",
            "(select * from marts.edges where false)",
            "(from marts.edges union all from marts.edges)",
        )
    ),
]
QUERIES = ["select number from {batch} where number > 18", "select number from {batch} where number > 19"]


def test_sql_and_the_library_agree(tmp_path: Path) -> None:
    rules = [
        Rule(f"rule_{number}", "Why.", "critical", "till", expect=kind, arguments=arguments)
        for number, (kind, arguments) in enumerate(RULES)
    ] + [
        Rule(f"query_{number}", "Why.", "critical", "till", rows_that_break=query)
        for number, query in enumerate(QUERIES)
    ]
    with duckdb.connect() as con:
        con.execute("create schema marts")
        con.execute(
            "create table marts.edges as select range as number, case when range <> 7 then range end as sometimes, "
            "null::integer as never, range % 3 as third, range % 2 = 0 as is_even, "
            "case when range % 2 = 0 then 'a' else 'b' end as code "
            "from range(20)"
        )
        ours = {rule.name: keeps(con, rule, "marts.edges", NIGHT) for rule in rules}
        library = run_suites(con, [Suite("marts", "edges", tuple(rules))], tmp_path)
    assert ours == {result.name: result.is_passed for result in library}
    assert set(ours.values()) == {True, False}


def test_every_kind_of_rule_that_suites_use_is_written_in_sql() -> None:
    from expectations.custom import WITH_A_QUERY

    used = {rule.expect for layer in LAYERS for suite in load_suites(layer) for rule in suite.rules if rule.expect}
    assert used - WITH_A_QUERY <= set(CONDITIONS)
