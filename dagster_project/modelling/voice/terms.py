"""Clauses of texts and the terms in them: what themes are made of and named by.

Belongs here: splitting texts into clauses, finding terms, counting them. Does not belong here: themes (`themes.py`),
n-grams without names (`ngrams.py`).

A term is a word or two words that follow each other; in Chinese, which writes no spaces, two to four characters within
a run. Words that only hold a sentence together are no terms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.ngrams import Characters, Hashes, Places
from dagster_project.modelling.voice.stop_words import STOP_WORDS

_CLAUSE_END = re.compile(r"[.!?;:,。！？；：，、…\n]+")  # noqa: RUF001 - Chinese has full-width punctuation
_FIRST_IDEOGRAPH = 0x2E80  # code points from here on are written without spaces
_IDEOGRAPHS = (2, 3, 4)
_HELD_TOGETHER = 0.8  # a part found within one longer term so often is not told apart from it


@dataclass(frozen=True)
class Clauses:
    """The clauses of some texts.

    Attributes:
        words: of each clause, shape (m,).
        text_of: the text that each belongs to, rising, shape (m,).
    """

    words: list[str]
    text_of: Places


@dataclass(frozen=True)
class Vocabulary:
    """The terms that are counted.

    Attributes:
        hashes: rising, shape (f,).
        names: of the terms, shape (f,).
        rarity: inverse document frequency of the terms, shape (f,).
    """

    hashes: Hashes
    names: npt.NDArray[np.object_]
    rarity: FloatArray

    def __len__(self) -> int:
        return len(self.hashes)


def clauses_of(texts: Sequence[str]) -> Clauses:
    """Texts split where a sentence or a part of one ends.

    Args:
        texts: normalised.
    """
    words: list[str] = []
    text_of: list[int] = []
    for row, text in enumerate(texts):
        for clause in _CLAUSE_END.split(text):
            if clause.strip():
                words.append(clause.strip())
                text_of.append(row)
    return Clauses(words, np.array(text_of, dtype=np.int64))


def learn_vocabulary(clauses: Sequence[str], rarest: int, largest_share: float, most_terms: int) -> Vocabulary:
    """The terms of clauses that are neither too rare nor in too many.

    Args:
        clauses: normalised, no two alike.
        rarest: clauses that must hold a term.
        largest_share: of all clauses, that a term may be in.
        most_terms: the terms in most clauses are kept.
    """
    found = _Found.of(clauses)
    hashes, first, place = np.unique(found.hashes, return_index=True, return_inverse=True)
    pairs = np.unique(place.astype(np.int64) * len(clauses) + found.clause_of)
    held_by = np.bincount(pairs // max(len(clauses), 1), minlength=len(hashes))
    kept = np.flatnonzero((held_by >= rarest) & (held_by <= largest_share * len(clauses)))
    names = np.array([found.text(row) for row in first[kept].tolist()], dtype=object)
    is_term = np.array([_is_term(name) for name in names], dtype=np.bool_)
    kept, names = kept[is_term], names[is_term]
    is_whole = _whole(names.tolist(), held_by[kept].tolist())
    kept, names = kept[is_whole], names[is_whole]
    most = np.sort(np.lexsort((hashes[kept], -held_by[kept]))[:most_terms])
    kept, names = kept[most], names[most]
    rarity = np.log((1 + len(clauses)) / (1 + held_by[kept])) + 1
    return Vocabulary(hashes[kept], names, rarity)


def weigh_terms(clauses: Sequence[str], vocabulary: Vocabulary) -> sparse.csr_matrix:
    """Weights of terms in clauses, rarity times presence, each clause of length 1 where it has a term; shape (m, f)."""
    found = _Found.of(clauses)
    place = np.searchsorted(vocabulary.hashes, found.hashes)
    place = np.minimum(place, max(len(vocabulary) - 1, 0))
    known = np.flatnonzero(vocabulary.hashes[place] == found.hashes) if len(vocabulary) else np.zeros(0, dtype=np.int64)
    counted = sparse.csr_matrix(
        (np.ones(len(known)), (found.clause_of[known], place[known])), shape=(len(clauses), len(vocabulary))
    )
    counted.sum_duplicates()
    weights = vocabulary.rarity[counted.indices]
    row = np.repeat(np.arange(len(clauses)), np.diff(counted.indptr))
    length = np.sqrt(np.bincount(row, weights**2, minlength=len(clauses)))
    counted.data = weights / length[row]
    return counted


@dataclass(frozen=True)
class _Found:
    """Every stretch of some clauses that could be a term."""

    characters: Characters
    starts: Places
    ends: Places
    hashes: Hashes

    @classmethod
    def of(cls, clauses: Sequence[str]) -> _Found:
        characters = Characters.of(clauses)
        starts, ends = characters.words()
        is_ideographic = characters.codes[starts] >= _FIRST_IDEOGRAPH
        stretches = [(starts[~is_ideographic], ends[~is_ideographic]), _pairs(characters, starts, ends, is_ideographic)]
        stretches += [_within(starts[is_ideographic], ends[is_ideographic], length) for length in _IDEOGRAPHS]
        first, last = (np.concatenate(parts) for parts in zip(*stretches, strict=True))
        return cls(characters, first, last, characters.hashed(first, last))

    @property
    def clause_of(self) -> npt.NDArray[np.int64]:
        return self.characters.text_of[self.starts].astype(np.int64)

    def text(self, row: int) -> str:
        return "".join(map(chr, self.characters.codes[self.starts[row] : self.ends[row]].tolist()))


def _pairs(
    characters: Characters, starts: Places, ends: Places, is_ideographic: npt.NDArray[np.bool_]
) -> tuple[Places, Places]:
    """Two words of one clause with one space between them."""
    follows = (starts[1:] == ends[:-1] + 1) & ~is_ideographic[1:] & ~is_ideographic[:-1]
    follows &= characters.codes[np.minimum(ends[:-1], len(characters.codes) - 1)] == ord(" ")
    return starts[:-1][follows], ends[1:][follows]


def _within(starts: Places, ends: Places, length: int) -> tuple[Places, Places]:
    """Every stretch of a length within runs."""
    room = np.maximum(ends - starts - length + 1, 0)
    first = np.repeat(starts, room) + np.arange(room.sum()) - np.repeat(np.cumsum(room) - room, room)
    return first, first + length


def _whole(names: list[str], held_by: list[int]) -> npt.NDArray[np.bool_]:
    """Which terms are more than a part of a longer one."""
    count_of = dict(zip(names, held_by, strict=True))
    is_whole = np.ones(len(names), dtype=np.bool_)
    part_of_more = {
        part
        for name, count in count_of.items()
        for part in _parts(name)
        if part in count_of and count >= _HELD_TOGETHER * count_of[part]
    }
    for row, name in enumerate(names):
        is_whole[row] = name not in part_of_more
    return is_whole


def _parts(name: str) -> list[str]:
    """What is one word or one character shorter."""
    if ord(name[0]) >= _FIRST_IDEOGRAPH:
        return [name[1:], name[:-1]]
    return name.split(" ") if " " in name else []


def _is_term(name: str) -> bool:
    """Whether a stretch says something: no number, no word that only holds a sentence together."""
    if name.isdigit() or len(name) < 2:
        return False
    if ord(name[0]) >= _FIRST_IDEOGRAPH:
        return not any(character in STOP_WORDS for character in name)
    words = name.split(" ")
    return not (words[0] in STOP_WORDS or words[-1] in STOP_WORDS)
