"""Planting dirt into the feeds of a block, and saying row by row what was planted.

Every change is worked out on the clean block, and a row of a kind's own feed has one kind at most, so that kinds do not
act on one another's traces. The clean truth is never touched: what is planted is listed beside it.

Belongs here: claims, copies, replacements, the list. Does not belong here: which kinds there are (`kinds.py`), writing
the feeds and the list to files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop.dirt.choosing import draws, is_below, key_hashes
from dagster_project.sources.simulated_shop.dirt.kind import Block, Change, Chosen, How, Kind, as_text
from dagster_project.sources.simulated_shop.dirt.kinds import KINDS, LEVEL_FACTORS, LEVELS, Level
from dagster_project.sources.simulated_shop.feeds import FEEDS

PLANTED = pa.schema(
    [
        ("kind", pa.string()),
        ("feed", pa.string()),
        ("how", pa.string()),
        ("key", pa.string()),
        ("column", pa.string()),
        ("original", pa.string()),
        ("planted", pa.string()),
    ]
)
"""One row per changed field of a planted row. `key`: the key of the clean row that was changed, copied, cut or removed,
its columns joined by `|`. `column` is null where a row was copied as it is."""

_CUT_FIELDS = 2


class DirtError(ValueError):
    """Dirt that cannot be planted; the message says what was found and what to choose."""


@dataclass(frozen=True)
class Dirt:
    """How much of which kind.

    Attributes:
        level: a share for every kind that levels hold.
        shares: by kind, in place of the level's: the share of the eligible rows, 0 to 1.
    """

    level: Level = "none"
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise DirtError(f"dirt level {self.level!r} is unknown; choose one of {', '.join(LEVELS)}")
        for name, share in self.shares.items():
            if name not in KINDS:
                raise DirtError(f"dirt kind {name!r} is unknown; choose from {', '.join(KINDS)}")
            if not 0 <= share <= 1:
                raise DirtError(f"the share of dirt kind {name!r} is {share}; expected 0 to 1")

    def share(self, kind: Kind) -> float:
        """The share of a kind's eligible rows that it takes."""
        by_level = min(1.0, kind.share * LEVEL_FACTORS[self.level]) if kind.is_in_levels else 0.0
        return self.shares.get(kind.name, by_level)

    def without_cut_lines(self) -> Dirt:
        """The same dirt for files that have no lines to cut."""
        cut = {kind.name: 0.0 for kind in KINDS.values() if kind.how == "cut"}
        return replace(self, shares={**self.shares, **cut})

    def text_columns(self, feed: str) -> frozenset[str]:
        """The columns of a feed that must be able to hold any text, in a format that has types."""
        active = [kind for kind in KINDS.values() if self.share(kind)]
        own = [name for kind in active if kind.feed == feed for name in kind.columns]
        brought = [name for kind in active for along in kind.followers if along.feed == feed for name in along.columns]
        return frozenset(own + brought)


@dataclass(frozen=True)
class Soiled:
    """A block with its dirt.

    Attributes:
        feeds: every feed of the block, columns and their order unchanged; those of `Dirt.text_columns` are texts.
        cut_lines: by feed, lines that are no rows, to stand in its file after the rows of the block.
        planted: what was planted, as `PLANTED`.
    """

    feeds: dict[str, pa.Table]
    cut_lines: dict[str, list[str]]
    planted: pa.Table


def soil(block: Block, dirt: Dirt, seed: int) -> Soiled:
    """Plant dirt into the feeds of one block.

    Args:
        block: Feed name to clean rows. All feeds of the same persons must be in it, as kinds look from one feed into
            another; a feed that is absent gets no dirt.
        dirt: How much of which kind.
        seed: The shop's seed.
    """
    work = {name: _Feed(name, table, dirt.text_columns(name)) for name, table in block.items()}
    for feed in work:
        kinds = [kind for kind in KINDS.values() if kind.feed == feed]
        if any(dirt.share(kind) for kind in kinds) and block[feed].num_rows:
            for kind, chosen in _claimed(block, feed, kinds, dirt, seed):
                _plant(kind, chosen, work)
    planted = pa.concat_tables([PLANTED.empty_table(), *(table for feed in work.values() for table in feed.planted)])
    return Soiled(
        feeds={name: feed.table() for name, feed in work.items()},
        cut_lines={name: feed.cut_lines for name, feed in work.items() if feed.cut_lines},
        planted=planted,
    )


def _claimed(block: Block, feed: str, kinds: Sequence[Kind], dirt: Dirt, seed: int) -> list[tuple[Kind, Chosen]]:
    """The rows that each kind takes.

    A kind claims what it would take at the heaviest level, whether it is switched on or not: that is what keeps the
    other kinds' rows the same when it is switched off.
    """
    hashes = key_hashes(block[feed], FEEDS[feed].key)
    is_free = np.ones(block[feed].num_rows, dtype=bool)
    taken: list[tuple[Kind, Chosen]] = []
    for kind in kinds:
        if any(needed not in block for needed in kind.needs):
            continue
        share, heaviest = dirt.share(kind), min(1.0, kind.share * LEVEL_FACTORS["heavy"])
        drawn = draws(hashes, seed, f"dirt/{kind.name}")
        is_claimed = is_free & is_below(drawn, max(share, heaviest))
        if kind.eligible is not None and is_claimed.any():
            is_claimed &= kind.eligible(block)
        is_free &= ~is_claimed
        at = np.flatnonzero(is_claimed & is_below(drawn, share))
        if len(at):
            taken.append((kind, Chosen(block, feed, at, draws(hashes[at], seed, f"dirt/{kind.name}/what"))))
    return taken


def _plant(kind: Kind, chosen: Chosen, work: Mapping[str, _Feed]) -> None:
    work[kind.feed].change(kind, kind.how, chosen, kind.columns)
    brought = {kind.feed: chosen}
    for along in kind.followers:
        if along.feed not in work or along.of[0] not in brought:
            continue
        parents = brought[along.of[0]]
        names = pa.array(parents.texts(along.of[1]), pa.string())
        owners = as_text(chosen.block[along.feed].column(along.on))
        at = np.flatnonzero(pc.fill_null(pc.is_in(owners, names), False).to_numpy())
        hashes = key_hashes(chosen.block[along.feed].take(at), FEEDS[along.feed].key)
        brought[along.feed] = Chosen(chosen.block, along.feed, at, hashes)
        if len(at):
            work[along.feed].change(kind, kind.how, brought[along.feed], along.columns)


class _Feed:
    """One feed while it is being soiled: the clean rows, and what is to become of them."""

    def __init__(self, name: str, clean: pa.Table, text_columns: frozenset[str]) -> None:
        self.planted: list[pa.Table] = []
        self.cut_lines: list[str] = []
        self._name = name
        self._clean = clean
        for column in text_columns & set(clean.column_names):
            self._clean = _with_column(self._clean, column, as_text(clean.column(column)))
        self._rewritten: dict[str, list[tuple[npt.NDArray[np.int64], list[str | None]]]] = defaultdict(list)
        self._added: list[tuple[npt.NDArray[np.float64], pa.Table]] = []
        self._removed: list[npt.NDArray[np.int64]] = []

    def change(self, kind: Kind, how: How, chosen: Chosen, columns: Mapping[str, Change]) -> None:
        """Note what a kind does to the rows it took."""
        texts = {name: list(change(chosen)) for name, change in columns.items() if name in self._clean.column_names}
        if how == "rewritten":
            for name, written in texts.items():
                self._rewritten[name].append((chosen.at, written))
        elif how == "removed":
            self._removed.append(chosen.at)
        else:
            copies = self._clean.take(chosen.at)
            for name, written in texts.items():
                copies = _with_column(copies, name, pa.array(written, pa.string()))
            if how == "cut":
                fields = [as_text(copies.column(place)).to_pylist() for place in range(_CUT_FIELDS)]
                self.cut_lines += [",".join(text or "" for text in line) for line in zip(*fields, strict=True)]
            else:
                beside = chosen.at.astype(np.float64) + (-0.5 if how == "added_before" else 0.5)
                self._added.append((beside, copies))
        self._note(kind, how, chosen, texts)

    def table(self) -> pa.Table:
        """The soiled rows."""
        table = self._clean
        for name, parts in self._rewritten.items():
            at = np.concatenate([rows for rows, _ in parts])
            written = [text for _, texts in parts for text in texts]
            table = _with_column(table, name, _replaced(table.column(name), at, written))
        places = [np.arange(table.num_rows, dtype=np.float64), *(at for at, _ in self._added)]
        if self._removed:
            gone = np.concatenate(self._removed)
            places[0] = np.delete(places[0], gone)
            table = table.take(np.delete(np.arange(table.num_rows), gone))
        if not self._added:
            return table
        joined = pa.concat_tables([table, *(copies for _, copies in self._added)])
        return joined.take(np.argsort(np.concatenate(places), kind="stable"))

    def _note(self, kind: Kind, how: How, chosen: Chosen, texts: Mapping[str, Sequence[str | None]]) -> None:
        rows = self._clean.take(chosen.at)
        key = _joined_key(rows, FEEDS[self._name].key)
        columns: dict[str | None, Sequence[str | None]] = dict(texts.items())
        if how == "removed":
            columns = dict.fromkeys(rows.column_names, [None] * len(chosen.at))
        for name, written in (columns or {None: [None] * len(chosen.at)}).items():
            original = as_text(rows.column(name)) if name else pa.nulls(len(chosen.at), pa.string())
            self.planted.append(
                pa.table(
                    [
                        pa.array([kind.name] * len(chosen.at)),
                        pa.array([self._name] * len(chosen.at)),
                        pa.array([how] * len(chosen.at)),
                        key,
                        pa.array([name] * len(chosen.at), pa.string()),
                        original,
                        pa.array(written, pa.string()),
                    ],
                    schema=PLANTED,
                )
            )


def _joined_key(rows: pa.Table, columns: Sequence[str]) -> pa.ChunkedArray | pa.Array:
    texts = [pc.fill_null(as_text(rows.column(name)), "") for name in columns]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "|")


def _with_column(table: pa.Table, name: str, column: pa.ChunkedArray | pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _replaced(column: pa.ChunkedArray, at: npt.NDArray[np.int64], written: Sequence[str | None]) -> pa.Array:
    """The column with new texts at some rows."""
    is_changed = np.zeros(len(column), dtype=bool)
    is_changed[at] = True
    in_order = pa.array([written[place] for place in np.argsort(at)], pa.string())
    return pc.replace_with_mask(column.combine_chunks(), pa.array(is_changed), in_order)
