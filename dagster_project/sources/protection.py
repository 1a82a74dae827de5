"""What of a table is a direct identifier, and what a shop wants done with it.

Belongs here: the description, which `sealing.py` carries out. Does not belong here: forms of identifiers
(`identifiers.py`), settings (`dagster_project.settings`).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dagster_project.sources.identifiers import IdentifierKind, Spelling
from dagster_project.warehouse import shop_key

RecordKind = Literal["account", "guest_order"]
RECORD_MARKS: dict[RecordKind, str] = {"account": ":", "guest_order": "/guest_order:"}
"""What stands between a source's name and its id of an account or of a guest's order; no source name holds either."""


_TELLING = re.compile(
    r"(^|_)(e?_?mail|phone|telephone|mobile|fax|birth_?(day|date)|date_of_birth|(full|first|last|given|family|sur)_?name"
    r"|street|iban|passport|handle)(_(address|number|no|nr))?$"
)


def looks_like_an_identifier(column: str) -> bool:
    """Whether a column is called as one that holds a direct identifier is; a guess."""
    return _TELLING.search(re.sub(r"[^a-z0-9]+", "_", column.casefold()).strip("_")) is not None


@dataclass(frozen=True)
class Protection:
    """The direct identifiers of a table. It holds no key, so that no message ever shows one.

    Attributes:
        home: LOYALTY_HOME, where key, originals and the list of who was forgotten lie.
        identifiers: column and kind.
        identifies: the column that says whose they are, and of what kind that is; None where none does.
        spelling: what counts as the same.
        keeps_originals: whether the clear texts are kept in the one file that holds them.
    """

    home: Path
    identifiers: tuple[tuple[str, IdentifierKind], ...]
    identifies: tuple[RecordKind, str] | None = None
    spelling: Spelling = field(default_factory=Spelling)
    keeps_originals: bool = True

    def key(self) -> str:
        """The shop's secret."""
        return shop_key(self.home)

    def fingerprint(self) -> str:
        """All that decides what becomes of the same row, as one text; the key cannot be read from it."""
        key = hashlib.sha256(f"fingerprint/{self.key()}".encode()).hexdigest()[:16]
        spelling = self.spelling
        rules = [spelling.calling_code, spelling.trunk_prefix, spelling.has_tags, *sorted(spelling.dotless_domains)]
        return json.dumps([sorted(self.identifiers), rules, key])
