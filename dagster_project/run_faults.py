"""Why a run failed, read from Dagster's own events: the first failed step and the innermost cause.

What belongs here: finding that cause and putting it in one line. Who is told of it: `nightly` on a terminal, `watch` in
an alert.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class Fault:
    """The cause of a failed run: the step, the class of the innermost error, its message in one line."""

    step: str
    kind: str
    message: str


def first_fault(events: Iterable[dg.DagsterEvent]) -> Fault:
    """The innermost cause of the first failed step; of a run that failed outside its steps, that it did."""
    for event in events:
        if event.is_step_failure:
            cause = event.step_failure_data.error
            while cause is not None and cause.cause is not None:
                cause = cause.cause
            if cause is None:
                return Fault(str(event.step_key), "unknown", "unknown fault")
            kind = (cause.cls_name or "unknown").rpartition(".")[2]
            return Fault(str(event.step_key), kind, _without_class(" ".join(cause.message.split())))
    return Fault("the run", "unknown", "it stopped before its first step")


def _without_class(message: str) -> str:
    """`package.module.SomeError: text` as `text`."""
    name, colon, text = message.partition(": ")
    return text if colon and name.replace(".", "").isidentifier() else message
