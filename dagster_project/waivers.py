"""Waivers: rules that a shop does not want to stop its nights for a time, and the trace that each leaves.

What belongs here: whether waivers name rules, and on which nights they hold. What does not: their form (`oversight`),
evaluating rules (`checks`), what the audit makes of a waived failure (`publishing.audit`).
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Iterable
from dataclasses import replace

from dagster_project.settings import Settings, SettingsError
from expectations.suite import CheckResult, Suite


def require_known_rules(settings: Settings, suites: Collection[Suite]) -> None:
    """Refuse a waiver that names no rule of this shop: it would waive nothing and look as if it did.

    Raises:
        SettingsError: the table has no suite, or the suite no such rule; the message names close matches.
    """
    rules = {f"{suite.layer}.{suite.table}": [rule.name for rule in suite.rules] for suite in suites}
    for position, waiver in enumerate(settings.waivers):
        known = rules.get(waiver.table, [])
        if waiver.table not in rules:
            raise SettingsError(
                f"waivers.{position}: no table '{waiver.table}' has rules{_close(waiver.table, rules)}; "
                "expected layer and table, as in 'marts.fct_orders'"
            )
        if waiver.rule not in known:
            raise SettingsError(
                f"waivers.{position}: {waiver.table} has no rule '{waiver.rule}'{_close(waiver.rule, known)}; "
                "the rules are in expectations/suites, and dbt's own tests cannot be waived"
            )


def _close(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=3)
    return f", did you mean {' or '.join(repr(match) for match in found)}?" if found else ""


def with_waivers(results: Iterable[CheckResult], settings: Settings, night: dt.date) -> list[CheckResult]:
    """The results of a night, each with the waiver that holds for its rule; a failure is then told and stops nothing.

    A rule that could not be evaluated has no result, so a waiver cannot hide it.
    """
    holding = {(waiver.table, waiver.rule): waiver for waiver in settings.waivers if waiver.holds_on(night)}
    return [
        replace(result, waiver=waiver.text() if waiver else None)
        for result in results
        for waiver in [holding.get((f"{result.layer}.{result.table}", result.name))]
    ]


def traces(settings: Settings, night: dt.date) -> list[str]:
    """One line a waiver of the settings: of one that has expired too, as it is to be taken out."""
    return [
        f"{waiver.state_on(night)}: {waiver.rule} on {waiver.table}, {waiver.text()}" for waiver in settings.waivers
    ]
