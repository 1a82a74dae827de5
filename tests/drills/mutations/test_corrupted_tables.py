"""Each column of each table that a night makes, corrupted as by a fault of its own model: who notices?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from corner_shop import CornerShop
from corruption import Case, corruptions, sampled
from drill_report import write_section
from judged_tables import JudgedTables
from long_form import IS_LONG
from outcome_record import OutcomeRecord
from rules_that_bite import write_rules

FEW = 2
"""A corruption of no more rows than this may be one that its table bears: a code that is rare, a value seldom given."""
EVERY = 401
"""The short form makes one corruption in so many; a prime, so that all layers and kinds have their turn."""
WRITTEN_BY_HAND = {
    "marts.exclusion_reasons", "marts.feedback_questions", "marts.lifecycle_state_map", "marts.metric_definitions",
    "marts.rfm_segment_map", "marts.segment_types", "marts.spec_claims_made",
}  # fmt: skip
LEAST_NOTICED = {"intermediate": 0.6, "marts": 0.7, "models": 0.25, "quality": 0.25}
"""By layer, of the corruptions that touch more than a few rows."""
ENOUGH = 15
"""Of fewer corruptions a share says nothing."""


@dataclass(frozen=True)
class Verdict:
    """What became of a corruption, and of how many rows it made others."""

    case: Case
    noticed: list[tuple[str, str]]
    rows: int

    @property
    def layer(self) -> str:
        return self.case.table.partition(".")[0]

    @property
    def reason(self) -> str:
        return next(reason for holds, reason in REASONS if holds(self))


REASONS: list[tuple[Callable[[Verdict], bool], str]] = [
    (lambda one: one.rows <= FEW, "no more than two rows: the table is short, or the column seldom given"),
    (
        lambda one: one.case.table in WRITTEN_BY_HAND,
        "a table that people write and review: nothing else knows what it should say",
    ),
    (lambda one: one.layer == "models", "an estimate: nothing but its model knows what it should be"),
    (lambda one: one.layer == "intermediate", "on the way to a mart: only what marts must keep is judged there"),
    (lambda one: True, "none: a rule is missing"),
]
"""Why nobody noticed: the first that holds."""


@pytest.fixture(scope="module")
def night(published_shop: CornerShop) -> JudgedTables:
    return JudgedTables(published_shop)


def test_the_tables_are_those_that_were_published_and_the_rules_say_of_them_what_the_night_said(
    night: JudgedTables, published_shop: CornerShop
) -> None:
    assert night.differing_from(published_shop) == []
    failed = published_shop.query(
        "select check_name || ' on ' || layer || '.' || table_name from quality.check_results where not is_passed "
        "and layer in ('intermediate', 'marts', 'models', 'quality')"
    )
    assert {name for (name,) in failed} == night.broken


def test_corruptions_of_every_table_are_noticed(night: JudgedTables, tmp_path: Path) -> None:
    known = [
        case
        for table in night.tables
        for case in corruptions(night.con, table, night.base(table), night.columns_of(table))
    ]
    record = OutcomeRecord.of("tables", tmp_path)
    verdicts = judged(sampled(known, EVERY, IS_LONG), record, night)
    if not verdicts:
        pytest.skip("there was no time for any case, and none is on record: give the drill more DRILLS_MINUTES")
    harmful = [verdict for verdict in verdicts if verdict.rows]
    _write(f"{len(verdicts):,} of {len(known):,} corruptions, on code `{record.code}`", harmful, night)
    for layer, least in LEAST_NOTICED.items():
        plain = [one for one in harmful if one.layer == layer and one.rows > FEW]
        survivors = "\n".join(f"{one.case}: {one.rows} rows" for one in plain if not one.noticed)
        assert len(plain) < ENOUGH or sum(bool(one.noticed) for one in plain) >= least * len(plain), survivors


def judged(chosen: dict[str, Case], record: OutcomeRecord, night: JudgedTables) -> list[Verdict]:
    """What became of these corruptions: of those on record, and of those that there is time for."""
    for name, case in record.left(chosen):
        rows = night.rows_touched(case.table, case.query)
        record.add(name, {"noticed": night.noticed(case.table, case.query) if rows else [], "rows": rows})
    outcomes = record.outcomes()
    return [
        Verdict(case, [(by, rule) for by, rule in told["noticed"]], told["rows"])
        for name, case in chosen.items()
        if (told := outcomes.get(name))
    ]


def _write(among: str, harmful: list[Verdict], night: JudgedTables) -> None:
    empty = sorted(table for table in night.tables if night.is_empty(table))
    by_layer = []
    for layer in sorted({one.layer for one in harmful}):
        alike = [one for one in harmful if one.layer == layer]
        plain = [one for one in alike if one.rows > FEW]
        by_layer.append((layer, len(alike), _share(alike), len(plain), _share(plain)))
    told = (
        f"{among}; {len(harmful):,} leave a table other than it was. {len(empty)} tables have no row in so small "
        f"a shop: {', '.join(empty)}."
    )
    head = ["layer", "corruptions", "noticed", f"of more than {FEW} rows", "of these noticed"]
    write_section("tables", head, by_layer, told)
    judges = Counter(judge for one in harmful for judge in {by for by, _ in one.noticed})
    write_section("judges of tables", ["noticed by", "corruptions"], judges.most_common())
    survivors = [one for one in harmful if not one.noticed]
    write_section(
        "survivors of tables",
        ["reason", "corruptions", "of"],
        [
            (reason, len(alike), _counted(alike))
            for _, reason in REASONS
            if (alike := [one for one in survivors if one.reason == reason])
        ],
    )
    write_rules("rules of tables", [one.noticed for one in harmful], {(judge.by, judge.rule) for judge in night.judges})


def _share(verdicts: list[Verdict]) -> str:
    return f"{sum(bool(one.noticed) for one in verdicts) / len(verdicts):.1%}" if verdicts else ""


def _counted(verdicts: list[Verdict]) -> str:
    found = Counter(one.case.table for one in verdicts)
    return ", ".join(f"{table} {count}" for table, count in sorted(found.items(), key=lambda one: (-one[1], one[0])))
