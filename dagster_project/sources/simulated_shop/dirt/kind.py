"""What a kind of dirt is: the words that `kinds.py` writes its table in.

Belongs here: the shape of a kind, and what a kind may see of the block that it works on. Does not belong here: which
kinds there are (`kinds.py`), the texts that they write (`texts.py`), carrying them out (`planting.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dagster_project.sources.simulated_shop.dirt.choosing import Hashes, Mask

Block = Mapping[str, pa.Table]
"""Feed name to that feed's clean rows of one block of persons: all rows of those persons are in it."""

How = Literal["rewritten", "added_before", "added_after", "removed", "cut"]
"""What happens to a chosen row: columns rewritten; a changed copy set before or after it; left out; a line of its first
fields alone set after it."""

Meets = Literal["refused", "repeats", "unreadable", "excluded", "unlinked", "harmless", "stops", "counted"]
"""What the pipeline must do with it.

refused: the row goes to the quarantine, its event is lost. repeats: one version stands, the others go to the
quarantine, nothing is lost. unreadable: the record is listed in `raw.unreadable_rows`. excluded: the order has a reason
not to count. unlinked: the row counts for the shop and for no customer. harmless: read as if it were clean. stops: a
critical check fails and readers keep yesterday's version. counted: nothing tells it from a true row, so it counts as it
says.
"""


@dataclass(frozen=True)
class Chosen:
    """The rows of one feed that a kind took.

    Attributes:
        block: the clean block.
        feed: the feed of these rows.
        at: their row numbers in that feed's table.
        drawn: a uniform 64-bit number for each.
    """

    block: Block
    feed: str
    at: npt.NDArray[np.int64]
    drawn: Hashes

    def texts(self, column: str) -> list[str]:
        """A column of the rows as the file would show it; an absent one is an empty text."""
        return [text or "" for text in as_text(self.block[self.feed].column(column).take(self.at)).to_pylist()]

    def pick(self, options: Sequence[str]) -> list[str | None]:
        """One of the options for each row."""
        return [options[int(number)] for number in self.drawn % np.uint64(len(options))]


Change = Callable[[Chosen], Sequence[str | None]]
"""The new texts of a column, one per chosen row."""


@dataclass(frozen=True)
class Follower:
    """Rows of another feed that an added row brings along, as an order brings its lines.

    Attributes:
        feed: the feed of these rows.
        on: their column that names the added row's original.
        of: the feed, and its column, that `on` refers to.
        columns: what changes in the copies; `on` must be among them.
    """

    feed: str
    on: str
    of: tuple[str, str]
    columns: Mapping[str, Change]


@dataclass(frozen=True)
class Kind:
    """One kind of dirt.

    Attributes:
        name: a noun.
        edge: the words of the list of edge cases that it stands for.
        feed: the feed whose rows are chosen.
        how: what happens to them.
        meets: what the pipeline must do.
        columns: what is written into which column.
        eligible: which rows of the feed can have it; all of them unless given.
        needs: other feeds that it looks into; where a block lacks one, the kind is not planted.
        followers: rows of other feeds that come along with an added row, parents first.
        share: of the eligible rows, at the level `moderate`.
        is_in_levels: whether the levels hold it; one that stops the night is planted only where it is asked for.
    """

    name: str
    edge: str
    feed: str
    how: How
    meets: Meets
    columns: Mapping[str, Change] = field(default_factory=dict)
    eligible: Callable[[Block], Mask] | None = None
    needs: tuple[str, ...] = ()
    followers: tuple[Follower, ...] = ()
    share: float = 0.0005
    is_in_levels: bool = True


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """A column as its CSV file shows it: times without a T, truth values in small letters, an absent one as null."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s"))
    return column.cast(pa.string())
