"""What every part of a plan must keep.

Belongs here: checks that several parts of a plan share. Does not belong here: the parts (`plan.py`, `voice/plan.py`,
`relations/plan.py`).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dagster_project.sources.tables import SourceError


def refuse_impossible_shares(part: Any) -> None:
    """Refuse a part of a plan, a dataclass, that has a field named `..._share` outside of 0 to 1.

    Raises:
        SourceError: naming the part, the field and its number.
    """
    for field in fields(part):
        planned = getattr(part, field.name)
        if field.name.endswith("_share") and not 0 <= planned <= 1:
            raise SourceError(f"{type(part).__name__}: {field.name} is {planned}; expected a share from 0 to 1")
