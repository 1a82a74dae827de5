"""The tables of docs/reliability.md and docs/rules_that_bite.md, written by the long form of their drills.

What belongs here: how an outcome reads, and putting a table between its two marks. What does not: any judgement, which
is the drills'.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from long_form import IS_LONG

from dagster_project.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "reliability.md"
RULES_PAGE = PROJECT_ROOT / "docs" / "rules_that_bite.md"


def write_section(
    name: str, head: Sequence[str], rows: Iterable[Sequence[object]], told: str = "", path: Path = PAGE
) -> None:
    """Put a table in place of the one between `<!-- name -->` and `<!-- end of name -->`; the short form writes none.

    Args:
        name: of the marks.
        head: the columns.
        rows: what stands in them; a `|` and line ends in a text are taken care of.
        told: a line before the table.
        path: of the page.
    """
    if not IS_LONG:
        return
    lines = [told, ""] if told else []
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    with path.open("r+", encoding="utf-8") as page:
        fcntl.flock(page, fcntl.LOCK_EX)  # two workers may end at once
        text = page.read()
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise AssertionError(f"{path} has no section between {begin} and {end}; put the two marks back")
        before, after = text.partition(begin)[0], text.partition(end)[2]
        page.seek(0)
        page.truncate()
        page.write(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}")


def shown(path: Path | str, text: str) -> str:
    """A message as the page shows it: without the folder of this run."""
    return re.sub(rf"{re.escape(str(path))}/?", "", text)


def _cell(content: object) -> str:
    return " ".join(str(content).split()).replace("|", "\\|")
