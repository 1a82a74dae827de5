"""All that is known of a metric: what it means, what it is made of, what is left out, and what hangs on its rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from dagster_project.explaining.changes import NotExplained
from dagster_project.explaining.claims import MULTIPLES, Claim, Estimate
from dagster_project.explaining.headlines import HEADLINES, READ_INSTRUMENTS, Headline, named
from dagster_project.explaining.inputs import (
    LATEST_NUMBERS,
    count_of_rows,
    published_waterfall,
    settings_in,
    tables_of,
    with_settings,
)
from dagster_project.explaining.recount import recount
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.sensitivity import (
    Decisions,
    Tried,
    can_be_tried,
    estimate,
    settings_tried,
    try_rules,
    write_one_state,
)
from dagster_project.explaining.trials import subject_of
from dagster_project.explaining.waterfall import Step, waterfall

NOTHING_ENTERS = "no window or rule of the settings enters it"
FITTED = "models that a night fits foretell it: their settings, changed in the shop's file, make other nights of it"
NOTHING_TO_MOVE = "there is no number that another window or rule could move"

TABLES_OF_GRAINS = {
    "customers": ("marts.fct_orders", "marts.fct_feedback"),
    "orders": ("marts.fct_orders",),
    "answers": ("marts.fct_feedback",),
    "predictions": ("models.customer_clv",),
}
REGISTRY = """
select requirement, unit, definition, spec_formula, field_formula, numerator, denominator, interval_method, feeds
from marts.metric_definitions
where metric = ?
"""
TOLD = """
select segment, period_type, period_start, metric_value, ci_low, ci_high, numerator, denominator, count_observations,
    unit, is_mature, has_minimum_base, status, status_reason
""" + LATEST_NUMBERS.format(database="")


@dataclass(frozen=True)
class Told:
    """The latest number of a metric for one kind of period, as published; of one that has no whole, of each part."""

    segment: str
    period_type: str
    period_start: dt.date
    value: float | None
    ci_low: float | None
    ci_high: float | None
    numerator: Any
    denominator: Any
    count_observations: int
    unit: str
    is_mature: bool
    has_minimum_base: bool
    status: str
    status_reason: str | None

    @property
    def estimate(self) -> Estimate:
        """What decisions look at."""
        return Estimate(self.value, self.ci_low, self.ci_high, self.count_observations)


@dataclass(frozen=True)
class Explanation:
    """A metric, explained from one published version.

    Attributes:
        metric: its name.
        as_of: the version's day.
        definition: in words, with the night's settings.
        formulas: whose -> formula: the specification's and the field's.
        bases: role -> the sum that it takes, by name.
        interval_method: how its interval is made.
        inputs: published table -> its rows.
        settings: setting that the definition names -> its value.
        sql: a query of the published version that gives the number again.
        told: the latest number of each kind of period.
        left_out: from every accepted row to those that count; empty where no such list can be given.
        decisions: what is decided on it now.
        tried: the number under other rules.
        untried: settings that enter it and were not tried, as that takes a while.
        not_tried: why there is nothing to try, in words; None where there is something, or it has been tried.
        beside: other metrics of the same requirement, with their latest numbers.
    """

    metric: str
    as_of: dt.date
    definition: str
    formulas: Mapping[str, str]
    bases: Mapping[str, str]
    interval_method: str | None
    inputs: Mapping[str, int]
    settings: Mapping[str, Any]
    sql: str
    told: tuple[Told, ...]
    left_out: tuple[Step, ...]
    decisions: Mapping[str, str]
    tried: tuple[Tried, ...]
    untried: tuple[str, ...]
    not_tried: str | None
    beside: Mapping[str, float | None]

    @property
    def fragile(self) -> tuple[str, ...]:
        """The decisions that another rule would turn."""
        return tuple(sorted({name for tried in self.tried for name in tried.fragile}))


def explain_metric(
    con: duckdb.DuckDBPyConnection,
    metric: str,
    as_of: dt.date,
    definitions: Mapping[str, Any],
    threshold: float | None = None,
) -> Explanation:
    """Explain a metric of a published version.

    Args:
        con: the version, read-only.
        metric: of `marts.metric_definitions`, or a total that changes are explained for.
        as_of: the version's day.
        definitions: the windows and rules of its manifest.
        threshold: a value of the metric from which on something is decided.

    Raises:
        NotExplained: there is no such metric.
    """
    registered = con.execute(REGISTRY, [metric]).fetchall()
    headline = next(iter(named(metric)), None)
    if not registered and headline is None:
        known = [name for (name,) in con.execute("select metric from marts.metric_definitions").fetchall()]
        totals = [one.metric for one in HEADLINES if one.published]
        raise NotExplained(f"no metric '{metric}'; there are: {', '.join(sorted({*known, *totals}))}")
    rules = Rules.of(definitions)
    requirement, _, definition, spec, field, numerator, denominator, interval_method, feeds = (
        registered[0]
        if registered
        else (None, None, headline.meaning if headline else "", None, None, None, None, None, "orders")
    )
    write_one_state(con, as_of)
    claims = claims_of(con, metric)
    # a verdict needs an interval, which only the multiples have under other rules
    decisions = Decisions(claims if metric in MULTIPLES else (), threshold, int(definitions.get("minimum_base", 30)))
    is_tried = can_be_tried(metric)
    untried, not_tried = _untried(con, metric) if registered else ((), _not_tried_of_total(headline))
    told = tuple(Told(*row) for row in con.execute(TOLD, {"metric": metric}).fetchall())
    return Explanation(
        metric=metric,
        as_of=as_of,
        definition=with_settings(definition, definitions),
        formulas={whose: formula for whose, formula in (("specification", spec), ("field", field)) if formula},
        bases={role: base for role, base in (("numerator", numerator), ("denominator", denominator)) if base},
        interval_method=interval_method,
        inputs=_inputs(con, metric, headline, feeds),
        settings=settings_in(definition, definitions),
        sql=query_of(metric, headline, as_of, rules, has_whole=all(one.segment == "all" for one in told)),
        told=told,
        left_out=tuple(waterfall(con, headline, as_of, rules) if headline else published_waterfall(con, metric)),
        decisions={claim.claim: claim.verdict for claim in claims}
        | (decisions.on(estimate(con, metric, headline, rules)) if is_tried else {}),
        tried=tuple(try_rules(con, metric, headline, rules, decisions)) if is_tried else (),
        untried=untried,
        not_tried=not_tried,
        beside=_beside(con, metric, requirement),
    )


def query_of(metric: str, headline: Headline | None, as_of: dt.date, rules: Rules, *, has_whole: bool = True) -> str:
    """A query that gives the number again from published orders and answers; for others, one that reads its parts."""
    if headline is None or headline.grain == "predictions":
        if headline is not None and headline.published:
            return headline.published.replace("{catalogue}.", "")
        part, of_whole = ("", " and segment_type = 'all'") if has_whole else ("segment, ", "")
        return (
            f"select {part}period_type, period_start, numerator, denominator, metric_value\n"
            f"from marts.loyalty_metrics\nwhere metric = '{metric}'{of_whole}\norder by all"
        )
    base = "1" if headline.is_total else "nullif(sum(denominator), 0)"
    states = {
        "order_states": ("marts.fct_orders", "order_key", f"is_revenue and order_date <= date '{as_of}'"),
        "answer_states": (
            "marts.fct_feedback",
            "feedback_key",
            f"instrument in {READ_INSTRUMENTS} and feedback_date <= date '{as_of}'",
        ),
    }
    counted = recount([headline], rules)
    relations = [
        f"{name} as (\n    select 0 as state, date '{as_of}' as as_of_date, coalesce(customer_key, {key}) as unit, *\n"
        f"    from {table}\n    where {where}\n)"
        for name, (table, key, where) in states.items()
        if name in counted
    ]
    return (
        f"with {', '.join([*relations, f'counted as ({counted})'])}\n"
        "select sum(numerator) as numerator, sum(denominator) as denominator, "
        f"{headline.scale} * sum(numerator) / {base} as metric_value\nfrom counted"
    )


def _untried(con: duckdb.DuckDBPyConnection, metric: str) -> tuple[tuple[str, ...], str | None]:
    """The settings that a recount does not try, or why there is nothing to try."""
    subject = subject_of(con, metric)
    if not subject.settings:
        return (), NOTHING_ENTERS
    if subject.period_type is None:
        return (), NOTHING_TO_MOVE
    return tuple(name for name in subject.settings if name not in settings_tried(metric)), None


def _not_tried_of_total(total: Headline | None) -> str | None:
    if total is None or can_be_tried(total.metric):
        return None
    return FITTED if total.grain == "predictions" else NOTHING_ENTERS


def claims_of(con: duckdb.DuckDBPyConnection, metric: str) -> tuple[Claim, ...]:
    """The claims that a metric tests."""
    rows = con.execute(
        "select claim, claimed, claimed_low, claimed_high, verdict from marts.spec_claims where metric = ? order by 1",
        [metric],
    ).fetchall()
    return tuple(Claim(*row) for row in rows)


def _inputs(con: duckdb.DuckDBPyConnection, metric: str, headline: Headline | None, feed: str) -> dict[str, int]:
    grain = headline.grain if headline else "customers" if metric in MULTIPLES else None
    return count_of_rows(con, TABLES_OF_GRAINS[grain] if grain else tables_of(feed))


def _beside(con: duckdb.DuckDBPyConnection, metric: str, requirement: str | None) -> dict[str, float | None]:
    rows = con.execute(
        """
        select metric, last(metric_value order by period_start, period_type)
        from marts.loyalty_metrics
        where segment_type = 'all' and metric <> ?
            and metric in (select metric from marts.metric_definitions where requirement = ?)
        group by metric
        order by metric
        """,
        [metric, requirement],
    ).fetchall()
    return dict(rows)
