"""The parts of which the simulated customers' texts are made: themes, tones, and the shape of a language's phrase book.

Belongs here: what a phrase book holds. Does not belong here: the phrases (`english.py`, `traditional_chinese.py`,
`simplified_chinese.py`), putting them together (`texts.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

THEMES = ("quality", "service", "brand", "price", "promotion", "experience", "social", "delivery")
"""What a clause is about: the seven drivers of loyalty, and delivery."""

TONES = ("negative", "neutral", "positive")
"""Tone of a clause; its code is the place here minus one, so -1, 0, 1."""

Tones = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Clauses:
    """Of one theme: any subject goes with any predicate.

    Attributes:
        subjects: what is spoken of.
        plain: predicates by tone that say it straight.
        negated: predicates by tone that say it by negating: "is not flimsy at all" is positive. None are neutral.
        wishes: whole sentences that say what the customer expects.
    """

    subjects: tuple[str, ...]
    plain: Tones
    negated: Tones
    wishes: tuple[str, ...]


@dataclass(frozen=True)
class PhraseBook:
    """One language.

    Attributes:
        language: BCP 47 tag.
        space: what stands between words and sentences.
        stop: what ends a sentence.
        openings: sentences before the first clause, by tone of the text.
        closings: sentences after the last, by tone of the text.
        continuing: joints before a second clause of the same tone.
        contrasting: joints before a second clause of the opposite tone.
        requests: sentences that end a message to the support desk.
        tags: what ends a social mention.
        clauses: by theme.
    """

    language: str
    space: str
    stop: str
    openings: Tones
    closings: Tones
    continuing: tuple[str, ...]
    contrasting: tuple[str, ...]
    requests: tuple[str, ...]
    tags: tuple[str, ...]
    clauses: Mapping[str, Clauses]
