"""Each column of each feed, corrupted in many ways: who notices? A rule that nothing can break protects nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from corner_shop import CornerShop
from corruption import Case, corruptions, sampled
from drill_report import write_section
from long_form import IS_LONG
from mutated_night import MutableNight, Noticed
from outcome_record import OutcomeRecord
from rules_that_bite import write_rules

from dagster_project.sources.repetition import USUAL_EDITS


@dataclass(frozen=True)
class Verdict:
    """What became of a corruption, of how many rows it made others, and how many of the delivery before are gone.

    `allowed` is how many the door lets a delivery edit, by what this feed usually does.
    """

    case: Case
    noticed: list[Noticed]
    changes_facts: bool
    rows: int
    gone: int
    allowed: float = 0

    @property
    def reason(self) -> str:
        return next(reason for holds, reason in REASONS if holds(self))


EVERY = 59
"""The short form makes one corruption in so many; a prime, so that all feeds and kinds have their turn."""
LEAST_NOTICED = 0.95
"""Of the harmful corruptions that touch more rows than a person may edit in a night."""
LEAST_NOTICED_OF_ALL = 0.9
REASONS: list[tuple[Callable[[Verdict], bool], str]] = [
    (lambda one: one.rows <= USUAL_EDITS, "no more rows than a person may edit by hand: the feed is that short"),
    (
        lambda one: 0 < one.gone <= USUAL_EDITS,
        "of the delivery before, no more rows than a person may edit by hand: the others are new",
    ),
    (lambda one: 0 < one.gone <= one.allowed, "fewer rows than the shop itself edits of this feed each night"),
    (lambda one: True, "none: a rule is missing"),
]
"""Why nobody noticed: the first that holds."""


@pytest.fixture(scope="module")
def night(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> MutableNight:
    return MutableNight(published_shop, tmp_path_factory.mktemp("deliveries"))


def cases(night: MutableNight) -> Iterator[Case]:
    for feed in night.feeds():
        yield from corruptions(night.con, feed, f"base.{feed}", night.columns(feed))


def test_corruptions_of_every_column_are_noticed(night: MutableNight, tmp_path: Path) -> None:
    known = list(cases(night))
    chosen = sampled(known, EVERY, IS_LONG)
    record = OutcomeRecord.of("mutations", tmp_path)
    verdicts = judged(chosen, record, night)
    if not verdicts:
        pytest.skip("there was no time for any case, and none is on record: give the drill more DRILLS_MINUTES")
    harmful = [verdict for verdict in verdicts if verdict.changes_facts]
    survivors = [verdict for verdict in harmful if not verdict.noticed]
    plain = [verdict for verdict in harmful if verdict.rows > USUAL_EDITS]
    _write(f"of {len(known):,} corruptions, on code `{record.code}`", verdicts, harmful, plain)
    write_rules("rules of feeds", [[(found.by, found.rule) for found in one.noticed] for one in harmful], night.judges)
    told = "\n".join(f"{one.case}: {one.rows} rows" for one in survivors)
    assert len(harmful) > len(verdicts) / 2
    assert _share_noticed(plain) >= LEAST_NOTICED, told
    assert _share_noticed(harmful) >= LEAST_NOTICED_OF_ALL, told


def judged(chosen: dict[str, Case], record: OutcomeRecord, night: MutableNight) -> list[Verdict]:
    """What became of these corruptions: of those on record, and of those that there is time for."""
    for name, case in record.left(chosen):
        noticed, changes_facts = night.noticed(case.table, case.query)
        by = [(found.by, found.rule) for found in noticed]
        rows = night.rows_touched(case.table, case.query)
        gone = night.rows_no_longer_said(case.table, case.query)
        record.add(name, {"noticed": by, "changes_facts": changes_facts, "rows": rows, "gone": gone})
    outcomes = record.outcomes()
    return [
        Verdict(
            case, [Noticed(*found) for found in told.pop("noticed")], **told, allowed=night.edits_allowed(case.table)
        )
        for name, case in chosen.items()
        if (told := outcomes.get(name))
    ]


def _share_noticed(verdicts: list[Verdict], without: str = "") -> float:
    """Share that somebody notices, one judge left out."""
    return sum(any(found.by != without for found in one.noticed) for one in verdicts) / len(verdicts)


def _write(among: str, verdicts: list[Verdict], harmful: list[Verdict], plain: list[Verdict]) -> None:
    by = Counter(judge for verdict in harmful for judge in {found.by for found in verdict.noticed})
    told = (
        f"{len(verdicts):,} {among}; {len(harmful):,} change a published fact, and of these "
        f"{_share_noticed(harmful):.1%} are noticed; of the {len(plain):,} that touch more than {USUAL_EDITS} rows, "
        f"{_share_noticed(plain):.1%}. Where a feed is no whole export the door has nothing to compare: the others "
        f"alone notice at least {_share_noticed(harmful, without='the door'):.1%}."
    )
    write_section("mutations", ["noticed by", "corruptions"], by.most_common(), told)
    survivors = [one for one in harmful if not one.noticed]
    write_section(
        "survivors",
        ["reason", "corruptions", "of"],
        [
            (reason, len(alike), ", ".join(sorted({one.case.table.partition("__")[2] for one in alike})))
            for _, reason in REASONS
            if (alike := [one for one in survivors if one.reason == reason])
        ],
    )
    write_section(
        "unexplained",
        ["feed", "column", "corruption", "rows"],
        [(one.case.table, one.case.column, one.case.name, one.rows) for one in survivors if one.rows > USUAL_EDITS],
    )


def test_an_uncorrupted_feed_is_noticed_by_nobody(night: MutableNight) -> None:
    for feed in night.feeds():
        assert night.noticed(feed, f"from base.{feed}") == ([], False)
