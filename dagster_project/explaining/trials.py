"""A metric under other settings: its models made again in memory, once as they are and once for each other value.

What belongs here: which settings enter a metric, the proof that the published number comes out again, and what would be
decided on the others. Which values are tried is in `alternatives`, where models are made again in `trial_database`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from dagster_project.explaining.alternatives import (
    TRAILING_WINDOW,
    WINDOW_SETTING,
    also_entering,
    alternatives,
    named_in,
)
from dagster_project.explaining.changes import NotExplained
from dagster_project.explaining.claims import Estimate
from dagster_project.explaining.inputs import LATEST_NUMBERS
from dagster_project.explaining.lineage import Lineage
from dagster_project.explaining.sensitivity import Decisions, Tried, compared
from dagster_project.explaining.trial_database import Number, TrialDatabase

Compile = Callable[[Collection[str], Mapping[str, Any]], Mapping[str, str]]
"""Ids of models, and definitions -> each model's id and its SQL."""
OnTry = Callable[[str], None]
"""Hears what is being made."""
PERIODS = (TRAILING_WINDOW, "lifetime", "quarter", "month")
"""Which of a metric's periods is looked at: the first that it is told for."""
DIFFERENCES = {"matched", "clustered"}
"""Intervals of numbers that say by how much two groups differ: nothing lies at 0."""
NOTHING = Estimate(None, None, None, 0)
LINES = """
select metric, definition, numerator, denominator, observations, customers, immature_while, interval_method
from marts.metric_definitions
where metric = $metric or metric in (
    select unnest([numerator, denominator]) from marts.metric_definitions where metric = $metric
)
order by metric
"""
PERIODS_TOLD = f"""
select distinct period_type
from (select period_type, status {LATEST_NUMBERS.format(database="")})
where status = 'told'
"""
CLAIMED = "select period_type from marts.spec_claims_made where metric = ? order by claim limit 1"


@dataclass(frozen=True)
class Trial:
    """Where metrics are made again: the database, the models, and who makes SQL of them."""

    database: TrialDatabase
    lineage: Lineage
    compiled: Compile


@dataclass(frozen=True)
class Subject:
    """A metric that is tried.

    Attributes:
        metric: its name.
        lines: it and the metrics that it divides, by name.
        bases: names of the sums that they take.
        period_type: the kind of period that is looked at; None where no number is told.
        settings: that enter it.
        is_difference: whether its interval says if there is a difference at all.
    """

    metric: str
    lines: tuple[str, ...]
    bases: frozenset[str]
    period_type: str | None
    settings: tuple[str, ...]
    is_difference: bool


def subject_of(con: duckdb.DuckDBPyConnection, metric: str) -> Subject:
    """What is tried of a metric of the registry.

    Args:
        con: the version.
        metric: its name.
    """
    rows = con.execute(LINES, {"metric": metric}).fetchall()
    told = {period for (period,) in con.execute(PERIODS_TOLD, {"metric": metric}).fetchall()}
    claimed = [period for (period,) in con.execute(CLAIMED, [metric]).fetchall()]
    period_type = next((period for period in (*claimed, *PERIODS) if period in told), None)
    lines = tuple(row[0] for row in rows)
    settings = [*named_in(row[1] for row in rows), *also_entering(lines)]
    if period_type == TRAILING_WINDOW:
        settings.append(WINDOW_SETTING)
    [method] = [row[-1] for row in rows if row[0] == metric]
    return Subject(
        metric=metric,
        lines=lines,
        bases=frozenset(base for row in rows for base in row[2:-1] if base),
        period_type=period_type,
        settings=tuple(dict.fromkeys(settings)),
        is_difference=method in DIFFERENCES,
    )


def try_settings(
    trial: Trial,
    subject: Subject,
    settings: Collection[str],
    definitions: Mapping[str, Any],
    decisions: Decisions,
    on_try: OnTry = lambda _: None,
) -> list[Tried]:
    """A metric's number under each other value of each setting, those that move it most first.

    Args:
        trial: over the version and its night.
        subject: the metric.
        settings: to try, of those that enter it.
        definitions: of the version.
        decisions: what is decided on the metric.
        on_try: told of each value.

    Raises:
        NotExplained: the version's own settings do not give the published number again.
    """
    lineage, database = trial.lineage, trial.database
    makers = lineage.makers_of(_sums_of(subject, trial, definitions))
    touched = {setting: lineage.touched_by(setting, makers) for setting in settings}
    on_try("the settings in force")
    database.make_again(trial.compiled({id_ for ids in touched.values() for id_ in ids}, definitions))
    usual = database.published(subject.metric)
    _require_same(subject.metric, usual, database.made(subject.metric))
    found: list[Tried] = []
    for setting, ids in touched.items():
        for value in alternatives(setting, definitions):
            on_try(f"{setting} {value}")
            database.make_again(trial.compiled(ids, {**definitions, setting: value}))
            found += _compared(f"{setting} {value}", subject, usual, database.made(subject.metric), decisions)
    return sorted(found, key=lambda one: (-abs(one.difference or 0), one.rule, one.segment))


def _sums_of(subject: Subject, trial: Trial, definitions: Mapping[str, Any]) -> list[str]:
    """The models whose SQL writes the name of a base that the metric takes."""
    texts = trial.compiled(trial.lineage.sums, definitions)
    return [id_ for id_ in trial.lineage.sums if any(f"'{base}'" in texts[id_] for base in subject.bases)]


def _require_same(metric: str, published: Sequence[Number], again: Sequence[Number]) -> None:
    for told, found in zip(published, again, strict=False):
        if told != found:
            raise NotExplained(
                f"{metric} ({told.period_type}, {told.segment}): the published number is {told.shown}, its models now "
                f"give {found.shown}; code or settings have changed since, so no other setting is tried"
            )
    if len(published) != len(again):
        raise NotExplained(
            f"{metric}: {len(published)} numbers are published, its models now give {len(again)}; code or settings "
            "have changed since, so no other setting is tried"
        )


def _compared(
    rule: str, subject: Subject, usual: Sequence[Number], other: Sequence[Number], decisions: Decisions
) -> Iterator[Tried]:
    """One line of the whole; of a metric that has none, one of each part."""
    before, after = (_by_segment(numbers, subject.period_type) for numbers in (usual, other))
    for segment in dict.fromkeys([*before, *after]):
        sides = (before.get(segment, NOTHING), after.get(segment, NOTHING))
        yield compared(rule, *sides, decisions, subject.period_type, segment)


def _by_segment(numbers: Sequence[Number], period_type: str | None) -> dict[str, Estimate]:
    return {number.segment: number.estimate for number in numbers if number.period_type == period_type}
