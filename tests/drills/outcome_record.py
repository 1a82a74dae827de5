"""What became of each case of a drill, kept in a file, so that a drill that was stopped goes on where it was.

What belongs here: which cases are left, for how long they are taken on, and what is known of the others. What a case is
and what must hold after it stands in the drills; how outcomes read on the page in `drill_report.py`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from long_form import IS_LONG

from dagster_project.publishing.fingerprint import code_fingerprint
from dagster_project.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "build" / "drills"
MINUTES = float(os.environ.get("DRILLS_MINUTES", "inf"))
"""For how long a drill takes on cases; it tells of those that were done by then, and goes on when it is run again."""

UNDONE = frozenset({"failure", "missed"})
"""What an outcome holds of a case that is still to be done."""

Case = TypeVar("Case")


class OutcomeRecord:
    """A file of JSON lines, one per case that was drilled, each with the code that it was drilled on."""

    def __init__(self, path: Path, minutes: float = MINUTES) -> None:
        self.code = code_fingerprint()
        self._path = path
        self._deadline = time.monotonic() + 60 * minutes
        path.parent.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of(cls, drill: str, scratch: Path) -> OutcomeRecord:
        """The record of a drill: the long form's is kept from run to run, the short form's is the run's own."""
        return cls((FOLDER if IS_LONG else scratch) / f"{drill}.jsonl")

    def outcomes(self) -> dict[str, dict[str, Any]]:
        """What became of the cases that were drilled on this code, by their names; of a repeated one, the last."""
        if not self._path.exists():
            return {}
        # a line that was cut short, as the drill itself was killed, is a case that was not drilled
        text = self._path.read_text(encoding="utf-8", errors="replace")
        lines = [json.loads(line) for line in text.split("\n") if line.endswith("}}")]
        return {line["case"]: line["outcome"] for line in lines if line["code"] == self.code}

    def left(self, cases: Mapping[str, Case]) -> Iterator[tuple[str, Case]]:
        """The cases that are still to be drilled, in their order, as long as there is time.

        A case whose outcome was a failure, or that was missed, is drilled again.
        """
        known = self.outcomes()
        for name, case in cases.items():
            if name in known and UNDONE.isdisjoint(known[name]):
                continue
            if time.monotonic() >= self._deadline:
                return
            yield name, case

    def add(self, case: str, outcome: Mapping[str, Any]) -> None:
        """Note what became of a case.

        `failure` in it tells of what should have held and did not, `missed` why the case did not come about.
        """
        line = json.dumps({"code": self.code, "case": case, "outcome": outcome}, ensure_ascii=False)
        with self._path.open("a+b") as record:
            end = record.seek(0, os.SEEK_END)
            if end:
                record.seek(end - 1)
                line = line if record.read(1) == b"\n" else "\n" + line
            record.write(line.encode() + b"\n")
            record.flush()
            os.fsync(record.fileno())
