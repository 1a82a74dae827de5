"""Suite files: what a wrong one says, and that every shipped one is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from expectations.suite import LAYERS, SUITES, SuiteError, load_suite, load_suites

GOOD = (
    "rules:\n  - {name: key_is_unique, why: Because., expect: column_values_to_be_unique, column: key, mostly: 0.9}\n"
)


def suite_file(folder: Path, content: str, name: str = "marts__orders.yml") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_a_suite_is_read_with_its_defaults(tmp_path: Path) -> None:
    suite = load_suite(suite_file(tmp_path, GOOD))
    [rule] = suite.rules
    assert (suite.layer, suite.table, suite.name, suite.relation) == (
        "marts",
        "orders",
        "marts__orders",
        "marts.orders",
    )
    assert (rule.name, rule.severity, rule.owner) == ("key_is_unique", "critical", "loyalty")
    assert rule.arguments == {"column": "key", "mostly": 0.9}


def test_a_raw_suite_reads_from_the_scratch_file(tmp_path: Path) -> None:
    assert load_suite(suite_file(tmp_path, GOOD, "raw__till__orders.yml")).relation == "scratch.raw.till__orders"


@pytest.mark.parametrize("name", ["orders.yml", "gold__orders.yml", "marts__Orders.yml", "marts__.yml"])
def test_a_file_must_be_named_for_layer_and_table(name: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"expected a name like 'marts__fct_orders\.yml' with a layer of raw, "):
        load_suite(suite_file(tmp_path, GOOD, name))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "expected a mapping with a list 'rules' of at least one rule"),
        ("- {why: Because., expect: x}", "every rule needs a 'name' in snake case that is a sentence"),
        ("- {name: Key Is Unique, why: Because., expect: x}", "every rule needs a 'name' in snake case"),
        ("- just a text", "every rule needs a 'name'"),
        ("- {name: a_is_b, expect: x}", "a_is_b: needs 'why', what breaks downstream if it fails"),
        ("- {name: a_is_b, why: w, expect: x, severity: bad}", "severity is 'bad', expected one of critical, warning"),
        ("- {name: a_is_b, why: w}", "needs either 'expect' (a rule of the library) or 'rows_that_break' (a query)"),
        ("- {name: a_is_b, why: w, expect: x, rows_that_break: 'from {batch}'}", "needs either 'expect'"),
        ("- {name: a_is_b, why: w, rows_that_break: 'from orders'}", "'rows_that_break' must read from {batch}"),
        ("- {name: a_is_b, why: w, expect: x}\n- {name: a_is_b, why: w, expect: y}", "rule names repeat: a_is_b"),
    ],
)
def test_a_wrong_rule_is_named_with_its_cure(rule: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        load_suite(suite_file(tmp_path, f"rules:\n{rule}\n"))
    assert str(caught.value).startswith("marts__orders.yml: ")
    assert message in str(caught.value)


def test_a_file_that_is_no_yaml_is_a_suite_error(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"^marts__orders\.yml is not readable as YAML: [^\n]+$"):
        load_suite(suite_file(tmp_path, "rules: ["))


def test_every_shipped_suite_loads_and_is_of_a_known_layer() -> None:
    loaded = {suite.name for layer in LAYERS for suite in load_suites(layer)}
    assert loaded == {path.stem for path in SUITES.glob("*.yml")}


def test_only_the_named_tables_are_loaded() -> None:
    assert [suite.table for suite in load_suites("marts", ["fct_orders", "absent"])] == ["fct_orders"]
