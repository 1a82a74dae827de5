"""Waivers: on which nights they hold, what they leave untouched, and what a wrong one says."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from dagster_project.oversight import Waiver
from dagster_project.settings import DEFAULT_CONFIG, Settings, SettingsError, load_settings
from dagster_project.waivers import require_known_rules, traces, with_waivers
from expectations.suite import CheckResult, Rule, Suite

FAILED = CheckResult("marts", "a", "key_is_unique", "gx", "Why.", "critical", False, 3, "3 of 9 rows")
RULES = tuple(Rule(name, "Why.", "critical", "x", "e") for name in ("key_is_unique", "sum_is_right"))
SUITES = [Suite("marts", "a", RULES)]


def shop(**changes: str) -> Settings:
    waiver = {
        "table": "marts.a",
        "rule": "key_is_unique",
        "from": "2026-01-10",
        "until": "2026-01-20",
        "reason": "move",
    }
    return load_settings(DEFAULT_CONFIG, waivers=[waiver | changes])


@pytest.mark.parametrize(
    ("day", "is_waived", "state"),
    [
        (9, False, "waiver begins later"),
        (10, True, "waived"),
        (20, True, "waived"),
        (21, False, "waiver has expired"),
    ],
)
def test_a_waiver_holds_from_its_first_night_to_its_last_and_then_the_rule_bites_again(
    day: int, is_waived: bool, state: str
) -> None:
    night = dt.date(2026, 1, day)
    [result] = with_waivers([FAILED], shop(), night)
    assert result.is_blocking != is_waived
    assert traces(shop(), night) == [f"{state}: key_is_unique on marts.a, from 2026-01-10 until 2026-01-20: move"]
    assert (result.waiver is not None) == is_waived


def test_a_waiver_changes_no_other_rule_and_no_outcome() -> None:
    others = [replace(FAILED, name="sum_is_right"), replace(FAILED, table="b"), replace(FAILED, layer="models")]
    results = with_waivers([FAILED, *others], shop(), dt.date(2026, 1, 15))
    assert [result.is_blocking for result in results] == [False, True, True, True]
    assert [result.is_passed for result in results] == [False] * 4
    assert [replace(result, waiver=None) for result in results] == [FAILED, *others]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rule": "key_is_uniqe"},
            "marts.a has no rule 'key_is_uniqe', did you mean 'key_is_unique'?; the rules are in",
        ),
        ({"rule": "zzz"}, "marts.a has no rule 'zzz'; the rules are in expectations/suites"),
        ({"table": "mart.a"}, "no table 'mart.a' has rules, did you mean 'marts.a'?; expected layer and table"),
    ],
)
def test_a_waiver_of_an_unknown_rule_is_an_error_that_names_close_ones(changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        require_known_rules(shop(**changes), SUITES)
    assert str(caught.value).startswith("waivers.0: ")
    assert message in str(caught.value)


def test_a_waiver_of_a_known_rule_is_accepted() -> None:
    require_known_rules(shop(), SUITES)
    assert Waiver.model_validate({"table": "marts.a", "rule": "b", "from": "2026-01-01", "until": "2026-01-01",
                                  "reason": "x"}).holds_on(dt.date(2026, 1, 1))  # fmt: skip
