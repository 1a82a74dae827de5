"""How a number moves under other windows and rules, and which of them would turn a decision that rests on it.

What belongs here: the list of rules to try, and trying them on the orders and answers of one version. A rule is tried
with all others left as they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from dagster_project.explaining.claims import MULTIPLES, Claim, Estimate, spend_multiple, verdict_of
from dagster_project.explaining.headlines import READ_INSTRUMENTS, Headline
from dagster_project.explaining.recount import recount
from dagster_project.explaining.rules import Rules

WINDOWED = {
    "average_order_value", "purchase_frequency", "loyal_share", "nps", "csat_share", *MULTIPLES,
}  # fmt: skip
BY_LOYALTY = {"loyal_share", *MULTIPLES}
BY_OCCASION = {"repeat_purchase_rate", "repeat_purchase_rate_within_window", "purchase_frequency", "loyal_share"}
BY_AMOUNT = {"average_order_value", "total_net"}


@dataclass(frozen=True)
class Variation:
    """Another rule to try."""

    name: str
    changes: Mapping[str, Any]
    metrics: frozenset[str]


VARIATIONS = tuple(
    Variation(name, changes, frozenset(metrics))
    for name, changes, metrics in (
        ("a trailing window of 90 days", {"active_window_days": 90}, WINDOWED),
        ("a trailing window of 180 days", {"active_window_days": 180}, WINDOWED),
        ("a trailing window of 365 days", {"active_window_days": 365}, WINDOWED),
        ("a trailing window of 730 days", {"active_window_days": 730}, WINDOWED),
        ("30 days to come back", {"repeat_window_days": 30}, {"repeat_purchase_rate_within_window"}),
        ("90 days to come back", {"repeat_window_days": 90}, {"repeat_purchase_rate_within_window"}),
        ("180 days to come back", {"repeat_window_days": 180}, {"repeat_purchase_rate_within_window"}),
        ("365 days to come back", {"repeat_window_days": 365}, {"repeat_purchase_rate_within_window"}),
        ("no grace for late orders", {"late_grace_days": 0}, {"repeat_purchase_rate_within_window"}),
        ("loyal from 2 occasions", {"loyal_minimum_occasions": 2}, BY_LOYALTY),
        ("loyal from 4 occasions", {"loyal_minimum_occasions": 4}, BY_LOYALTY),
        ("loyal for 1 own gap of silence", {"loyal_gap_multiple": 1.0}, BY_LOYALTY),
        ("loyal for 2 own gaps of silence", {"loyal_gap_multiple": 2.0}, BY_LOYALTY),
        ("loyal for 3 own gaps of silence", {"loyal_gap_multiple": 3.0}, BY_LOYALTY),
        ("two orders of a day as two purchases", {"counts_orders_apart": True}, BY_OCCASION),
        ("orders of known customers only", {"counts_guests": False}, BY_AMOUNT),
        ("amounts before refunds", {"counts_refunds": False}, BY_AMOUNT | set(MULTIPLES)),
        ("every answer instead of the latest", {"counts_latest_answer_only": False}, {"nps", "csat_share"}),
    )
)


@dataclass(frozen=True)
class Tried:
    """What a number would be under another rule.

    Attributes:
        rule: the rule, in words, or a setting with its other value.
        value: the number; None without a base.
        difference: from the number of the night; None where either has no base.
        decisions: what would be decided on it, by name: a verdict, or on which side of a threshold it lies.
        fragile: the decisions that would turn.
        period_type: the kind of period that it is told for; None where a headline has one only.
        segment: the part that it is told for, of a metric that has no whole.
        ci_low: lower end of its 95 % interval; None where it has none, or is recounted without.
        ci_high: upper end.
        leaves_number: whether that interval lies beside the number of the night.
    """

    rule: str
    value: float | None
    difference: float | None
    decisions: Mapping[str, str]
    fragile: tuple[str, ...]
    period_type: str | None = None
    segment: str = "all"
    ci_low: float | None = None
    ci_high: float | None = None
    leaves_number: bool = False


@dataclass(frozen=True)
class Decisions:
    """What is decided on a metric.

    Attributes:
        claims: that it tests.
        threshold: that the settings state.
        minimum_base: observations below which nothing is judged.
        judges_base: whether having that many is a decision of its own.
        judges_difference: whether it says by how much two groups differ, so that its interval decides if they do.
    """

    claims: tuple[Claim, ...] = ()
    threshold: float | None = None
    minimum_base: int = 30
    judges_base: bool = False
    judges_difference: bool = False

    def on(self, found: Estimate) -> dict[str, str]:
        """What would be decided on an estimate, by the decision's name."""
        decided = {
            claim.claim: verdict_of(found, claim, self.minimum_base)
            for claim in self.claims
            if claim.claimed_low is not None
        }
        if self.threshold is not None:
            side = "unknown" if found.value is None else "reached" if found.value >= self.threshold else "missed"
            decided[f"threshold of {self.threshold:g}"] = side
        if self.judges_base:
            side = "reached" if found.count_observations >= self.minimum_base else "missed"
            decided[f"minimum base of {self.minimum_base}"] = side
        if self.judges_difference:
            decided["difference from nothing"] = _side_of_nothing(found)
        return decided


def _side_of_nothing(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "cannot_say"
    return "above" if found.low > 0 else "below" if found.high < 0 else "cannot_say"


def compared(
    rule: str,
    usual: Estimate,
    other: Estimate,
    decisions: Decisions,
    period_type: str | None = None,
    segment: str = "all",
) -> Tried:
    """An estimate under another rule beside that of the night; without a number on both sides no decision turns."""
    decided = decisions.on(other)
    is_told = other.value is not None and usual.value is not None
    turned = tuple(name for name, verdict in decisions.on(usual).items() if verdict != decided[name])
    return Tried(
        rule=rule,
        value=other.value,
        difference=float(other.value or 0) - float(usual.value or 0) if is_told else None,
        decisions=decided,
        fragile=turned if is_told else (),
        period_type=period_type,
        segment=segment,
        ci_low=other.low,
        ci_high=other.high,
        leaves_number=is_told and not _holds(other, usual.value),
    )


def _holds(interval: Estimate, value: float | None) -> bool:
    """Whether a number lies in an interval; every number does where there is none."""
    if interval.low is None or interval.high is None or value is None:
        return True
    return interval.low <= value <= interval.high


def write_one_state(con: duckdb.DuckDBPyConnection, as_of: dt.date) -> None:
    """Make the orders and answers of the open version the one state that a recount reads."""
    con.execute(
        f"""
        create or replace temp view order_states as
        select 0 as state, date '{as_of}' as as_of_date, coalesce(customer_key, order_key) as unit, customer_key,
            order_key, order_date, net_amount, gross_amount, is_valid, is_revenue
        from marts.fct_orders
        where is_revenue and order_date <= date '{as_of}';
        create or replace temp view answer_states as
        select 0 as state, date '{as_of}' as as_of_date, coalesce(customer_key, feedback_key) as unit, customer_key,
            feedback_key, instrument, feedback_date, submitted_at, band
        from marts.fct_feedback
        where instrument in {READ_INSTRUMENTS} and feedback_date <= date '{as_of}'
        """
    )


def can_be_tried(metric: str) -> bool:
    """Whether any other rule is known for a metric."""
    return any(metric in variation.metrics for variation in VARIATIONS)


def estimate(con: duckdb.DuckDBPyConnection, metric: str, headline: Headline | None, rules: Rules) -> Estimate:
    """The number under given rules; with its interval for the multiples of spending, which claims are judged by."""
    if headline is None:
        return spend_multiple(con, metric, rules)
    [(numerator, denominator)] = con.execute(
        "select coalesce(sum(numerator), 0), coalesce(sum(denominator), 0) "
        f"from ({recount([headline], rules)}) where metric = '{metric}'"
    ).fetchall()
    base = 1 if headline.is_total else denominator
    value = float(numerator) / float(base) * headline.scale if base else None
    return Estimate(value, None, None, int(denominator))


def try_rules(
    con: duckdb.DuckDBPyConnection, metric: str, headline: Headline | None, rules: Rules, decisions: Decisions
) -> list[Tried]:
    """The number under each other rule that bears on it, those that move it most first.

    Args:
        con: holds the one state that `write_one_state` makes.
        metric: a headline's, or one of `MULTIPLES`.
        headline: how it is recounted; None for a multiple.
        rules: of the night; a rule that is in force is not tried.
        decisions: what is decided on the metric.
    """
    usual = estimate(con, metric, headline, rules)
    found = []
    for variation in VARIATIONS:
        other = replace(rules, **variation.changes)
        if metric in variation.metrics and other != rules:
            found.append(compared(variation.name, usual, estimate(con, metric, headline, other), decisions))
    return sorted(found, key=lambda one: (-abs(one.difference or 0), one.rule))


def settings_tried(metric: str) -> set[str]:
    """The settings among the rules that are tried by a recount."""
    return {name for variation in VARIATIONS if metric in variation.metrics for name in variation.changes}
