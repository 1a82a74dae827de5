"""The page of the rules: how many corruptions each noticed, and those that no corruption trips.

What belongs here: counting and telling. Who noticed what is in the records of the drills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from drill_report import RULES_PAGE, write_section

Judged = tuple[str, str]
"""Who judges, and by which rule."""


def counted(noticed: Iterable[Sequence[Judged]]) -> Counter[Judged]:
    """How many corruptions each rule noticed."""
    return Counter((by, rule) for one in noticed for by, rule in {(by, rule) for by, rule in one})


def write_rules(section: str, noticed: Sequence[Sequence[Judged]], asked: Collection[Judged]) -> None:
    """Write which rules noticed how many corruptions, and which of those that were asked noticed none.

    Args:
        section: of the page; that of the silent rules is named `silent <section>`.
        noticed: by corruption, who noticed it by which rule.
        asked: the rules that were content with the uncorrupted night.
    """
    found = counted(noticed)
    alone = counted(one for one in noticed if len({tuple(judge) for judge in one}) == 1)
    rows = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    silent = sorted(set(asked) - set(found))
    write_section(
        section,
        ["rule", "judge", "noticed", "alone"],
        [(rule, by, count, alone[by, rule]) for (by, rule), count in rows],
        f"{len(found)} rules noticed at least one of {len(noticed):,} corruptions.",
        RULES_PAGE,
    )
    write_section(
        f"silent {section}",
        ["rule", "judge"],
        [(rule, by) for by, rule in silent],
        f"{len(silent)} of {len(set(asked) | set(found))} rules noticed none.",
        RULES_PAGE,
    )
