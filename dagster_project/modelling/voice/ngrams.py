"""Counts of character n-grams and words in texts of any language, as sparse rows.

Belongs here: normalising a text, and counting what it holds. Does not belong here: weights (`vectors.py`), what is
learned from them.

Nothing is learned: a feature's place is a hash of its characters, so texts can be counted in batches, in any order, and
a later night counts them alike. All texts of a batch are one array of code points, and every n-gram's hash is taken at
once; scikit-learn's vectorisers make a Python string of each. Chinese needs no segmentation: its words are n-grams of
one to three characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

Hashes: TypeAlias = npt.NDArray[np.uint64]
Places: TypeAlias = npt.NDArray[np.int64]

_SEPARATOR = "\n"  # never within a normalised text
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_BASE), -1, 2**64))


@dataclass(frozen=True)
class NgramSettings:
    """What is counted.

    Attributes:
        characters: shortest and longest character n-gram, spaces included, at least 1. Hold-out AUC of sentiment by
            longest: Olist's Portuguese .9807 (3) and .9810 (4), Chinese shopping .9774 (3), .9765 (4), .9759 (5).
        words: longest run of words, 0 for none; a word is a run of letters and digits. Olist .9777 without,
            .9807 with 2.
        bits: features are 2 to this power; two n-grams that share a place are counted as one.
    """

    characters: tuple[int, int] = (1, 3)
    words: int = 2
    bits: int = 20

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        shortest, longest = self.characters
        if not 1 <= shortest <= longest or self.words < 0 or not 8 <= self.bits <= 28:
            raise ValueError(
                f"characters {self.characters}, words {self.words}, bits {self.bits}; expected a rising pair from 1, "
                "at least 0 words, and 8 to 28 bits"
            )

    @property
    def count_features(self) -> int:
        """Columns of the counts."""
        return 1 << self.bits


def normalised(texts: Iterable[str]) -> list[str]:
    """Texts in one form: compatibility characters and case folded, every run of white space one space."""
    return [" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in texts]


def text_hashes(texts: Sequence[str]) -> Hashes:
    """One number per text, equal where texts are, whatever stands beside them; shape (n,).

    Args:
        texts: normalised.
    """
    characters = Characters.of(texts)
    ends = np.flatnonzero(characters.codes == ord(_SEPARATOR))
    return characters.hashed(ends[:-1] + 1, ends[1:])


def counts(texts: Sequence[str], settings: NgramSettings) -> sparse.csr_matrix:
    """How often each text holds each feature.

    Args:
        texts: normalised, shape (n,).
        settings: what is counted.

    Returns:
        Shape (n, 2 ** bits), float32, columns rising within each row.
    """
    characters = Characters.of(texts)
    rows, hashes = [], []
    shortest, longest = settings.characters
    for length in range(shortest, longest + 1):
        starts = characters.starts(length)
        rows.append(characters.text_of[starts])
        hashes.append(characters.hashed(starts, starts + length))
    for length in range(1, settings.words + 1):
        starts, ends = characters.word_runs(length)
        rows.append(characters.text_of[starts])
        hashes.append(~characters.hashed(starts, ends))
    places = [(hashed >> np.uint64(64 - settings.bits)).astype(np.int32) for hashed in hashes]
    row, place = np.concatenate(rows), np.concatenate(places)
    ones = np.ones(len(row), dtype=np.float32)
    return sparse.coo_matrix((ones, (row, place)), shape=(len(texts), settings.count_features)).tocsr()


@dataclass(frozen=True)
class Characters:
    """All characters of a batch of texts, one after another, each text between two separators.

    Attributes:
        codes: code points, shape (m,).
        text_of: the text that each belongs to, shape (m,).
        sums: running sums of the characters' shares in a polynomial hash, shape (m + 1,).
        powers: the base to the power of each place, shape (m + 1,).
    """

    codes: npt.NDArray[np.uint32]
    text_of: npt.NDArray[np.int32]
    sums: Hashes
    powers: Hashes

    @classmethod
    def of(cls, texts: Sequence[str]) -> Characters:
        """The characters of normalised texts."""
        joined = _SEPARATOR + _SEPARATOR.join(texts) + _SEPARATOR
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        is_separator = codes == ord(_SEPARATOR)
        text_of = (np.cumsum(is_separator, dtype=np.int32) - 1).astype(np.int32)
        with np.errstate(over="ignore"):
            inverses = np.full(len(codes), _INVERSE)
            inverses[0] = 1
            shares = _mixed(codes.astype(np.uint64)) * np.cumprod(inverses)
            powers = np.full(len(codes) + 1, _BASE)
            powers[0] = 1
            powers = np.cumprod(powers)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(shares)])
        return cls(codes, text_of, sums, powers)

    def starts(self, length: int) -> Places:
        """Where n-grams of a length start, those that lie within one text; rising."""
        last = len(self.codes) - length + 1
        if last <= 0:
            return np.zeros(0, dtype=np.int64)
        inner = np.flatnonzero(self.codes != ord(_SEPARATOR))
        inner = inner[inner < last]
        return inner[self.text_of[inner] == self.text_of[inner + length - 1]]

    def hashed(self, starts: Places, ends: Places) -> Hashes:
        """Hashes of stretches, equal where their characters are; the high bits are the mixed ones.

        Args:
            starts: first places, shape (k,).
            ends: places after the last, shape (k,).
        """
        with np.errstate(over="ignore"):
            # sum of c[j] * base^-j over the stretch, times base^start: the same wherever it stands
            return _mixed((self.sums[ends] - self.sums[starts]) * self.powers[starts])

    def word_runs(self, length: int) -> tuple[Places, Places]:
        """Starts and ends of so many words that follow each other in one text."""
        starts, ends = self.words()
        if len(starts) < length:
            return starts[:0], ends[:0]
        first, last = starts[: len(starts) - length + 1], ends[length - 1 :]
        is_one_text = self.text_of[first] == self.text_of[last - 1]
        return first[is_one_text], last[is_one_text]

    def words(self) -> tuple[Places, Places]:
        """Starts and ends of all words, rising."""
        is_letter = np.zeros(len(self.codes) + 2, dtype=np.int8)
        is_letter[1:-1] = _is_letter(self.codes)
        edges = np.diff(is_letter)
        return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def _is_letter(codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    distinct, place_of = np.unique(codes, return_inverse=True)
    return np.array([chr(code).isalnum() for code in distinct.tolist()], dtype=np.bool_)[place_of]


def _mixed(values: Hashes) -> Hashes:
    """A permutation of the 64-bit numbers that looks random (Steele, Lea and Flood 2014, SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
