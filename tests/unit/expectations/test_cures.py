"""Every rule says what to do where it fails: in sentences, of its own or of its kind, with commands that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dagster_project.checks import CHECKED_LAYERS, suites_of
from dagster_project.cli import app
from dagster_project.settings import DEFAULT_CONFIG, load_settings
from dagster_project.waivers import require_known_rules
from expectations.cures import cure_of
from expectations.suite import LAYERS, Rule, Suite, load_suites

ALL = [(suite, rule) for layer in LAYERS for suite in load_suites(layer) for rule in suite.rules]


@pytest.fixture(scope="module")
def of_a_shop() -> list[tuple[Suite, Rule]]:
    """The rules of the built-in shop's night, those that its settings make among them."""
    settings = load_settings(DEFAULT_CONFIG)
    return [(suite, rule) for layer in CHECKED_LAYERS for suite in suites_of(layer, settings) for rule in suite.rules]


def test_every_rule_has_a_cure_in_sentences(of_a_shop: list[tuple[Suite, Rule]]) -> None:
    assert len(of_a_shop) > len(load_suites("marts")) * 3
    for suite, rule in [*ALL, *of_a_shop]:
        cure = cure_of(suite, rule)
        assert re.match(r"[A-Z`]|[a-z0-9_]+ is ", cure), cure
        assert cure.endswith("."), cure
        assert len(cure.split()) >= 8, cure
        assert "\n" not in cure, cure


def test_cures_name_commands_that_there_are(of_a_shop: list[tuple[Suite, Rule]]) -> None:
    named = {word for suite, rule in [*ALL, *of_a_shop] for word in re.findall(r"`loyalty (\w+)", cure_of(suite, rule))}
    commands = {
        str(command.name or command.callback.__name__) for command in app.registered_commands if command.callback
    }
    assert {"run", "find", "quarantine"} <= named
    assert named <= commands | {group.name for group in app.registered_groups}


def test_a_critical_rule_s_cure_ends_with_a_waiver_that_the_settings_take(tmp_path: Path) -> None:
    [suite] = load_suites("marts", ["fct_orders"])
    cures = {rule.name: cure_of(suite, rule) for rule in suite.rules}
    assert "waivers" not in cures["discount_is_never_negative"]
    cure, waiver = cures["order_key_is_unique"].split(
        " To let nights pass meanwhile, add to `waivers` in the settings: "
    )
    assert cure.startswith("`loyalty find` names the landed rows of a told key: where the source sends it twice, ")
    assert "a join in fct_orders repeats it: tell its owner (loyalty); " in cure
    filled = waiver.rstrip(".").replace("DAY", "2026-01-10").replace("WHY", "the till moves")
    settings = yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8")) | {"waivers": [yaml.safe_load(filled)]}
    path = tmp_path / "loyalty.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    require_known_rules(load_settings(path), [suite])


@pytest.mark.parametrize(
    ("layer", "table", "expect", "begins"),
    [
        ("raw", "till__orders", "no_rows_where", "Look at the told rows of the files of till.orders: "),
        ("raw", "till__orders", "table_row_count_to_be_between", "See whether a file of till.orders came "),
        (
            "staging",
            "stg_till__orders",
            "no_rows_where",
            "Look at the told rows of their files: map what they hold in ",
        ),
        ("marts", "fct_x", "None", "`loyalty find` names the landed rows of a told key: where the source sent it so, "),
        (
            "marts",
            "fct_x",
            "column_values_to_be_in_set",
            "`loyalty find` names the landed rows of a told key: map a new ",
        ),
        ("marts", "fct_x", "last_row_to_be_recent", "Ask who delivers the feed behind fct_x "),
        ("marts", "fct_x", "daily_rows_to_be_usual", "Compare the files of the told days "),
        ("marts", "fct_x", "recent_values_to_be_usual", "Compare the values of the column in the last weeks "),
        ("marts", "cohort_x", "column_values_to_be_unique", "cohort_x is made by our code "),
        (
            "models",
            "customer_x",
            "column_values_to_be_unique",
            "customer_x is made by our code of tables whose own rules held",
        ),
        ("quality", "quarantined_rows", "None", "`loyalty quarantine list` says what is refused and why: "),
        ("quality", "x", "None", "x is made by our code "),
    ],
)
def test_without_its_own_a_rule_has_the_cure_of_its_kind_and_layer(
    layer: str, table: str, expect: str, begins: str
) -> None:
    rule = Rule("it_is_well", "Why.", "warning", "till", None if expect == "None" else expect)
    assert cure_of(Suite(layer, table, (rule,)), rule).startswith(begins)


def test_its_own_cure_comes_first() -> None:
    rule = Rule("it_is_well", "Why.", "warning", "till", "no_rows_where", cure="Ask {table} for another.")
    assert cure_of(Suite("marts", "fct_x", (rule,)), rule) == "Ask {table} for another."
