"""Texts of the simulated customers: what each means is drawn first, then words for it are put together.

A text is an opening, a clause on a theme, perhaps a second clause on another, and an ending. Every part is chosen from
a phrase book, so that the books' few hundred phrases make many millions of texts, and the meaning of each is known.

Belongs here: drawing meanings, composing words. Does not belong here: the phrases (`english.py` and its sisters), who
writes and what they feel (`reviews.py`, `answers.py`, `mentions.py`, `support.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints
from dagster_project.sources.simulated_shop.voice.english import ENGLISH
from dagster_project.sources.simulated_shop.voice.phrases import THEMES, TONES, PhraseBook
from dagster_project.sources.simulated_shop.voice.plan import Texts
from dagster_project.sources.simulated_shop.voice.simplified_chinese import SIMPLIFIED_CHINESE
from dagster_project.sources.simulated_shop.voice.traditional_chinese import TRADITIONAL_CHINESE

BOOKS = (ENGLISH, TRADITIONAL_CHINESE, SIMPLIFIED_CHINESE)
LANGUAGES = tuple(book.language for book in BOOKS)

NO_CLAUSE = -1
"""`second_theme` of a text with one clause."""

_SLOTS = (
    "nothing",
    "opening",
    "first_subject",
    "plain",
    "negated",
    "continuing",
    "contrasting",
    "second_subject",
    "stop",
    "closing",
    "wish",
    "request",
    "tag",
)
_PARTS = 8  # opening, subject, predicate, joint, subject, predicate, stop, ending
_DRAWS_OF_MEANING = 7


@dataclass(frozen=True)
class Meanings:
    """What each text means; one entry per text.

    Attributes:
        language: place in `LANGUAGES`.
        tone: of the text on the whole: -1, 0, 1.
        first_theme: place in `THEMES`.
        first_tone: -1, 0, 1.
        second_theme: place in `THEMES`, or `NO_CLAUSE`.
        second_tone: -1, 0, 1; 0 without a second clause.
        is_negated: whether the first clause says it by negating.
        has_wish: whether the text ends in a wish about the first theme.
    """

    language: Ints
    tone: Ints
    first_theme: Ints
    first_tone: Ints
    second_theme: Ints
    second_tone: Ints
    is_negated: Bools
    has_wish: Bools

    def take(self, rows: Ints | Bools) -> Meanings:
        """The meanings of some texts."""
        return Meanings(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    def followed_by(self, others: Meanings) -> Meanings:
        """These meanings, and then the others."""
        return Meanings(
            **{
                column.name: np.concatenate([getattr(self, column.name), getattr(others, column.name)])
                for column in fields(self)
            }
        )

    def truth(self) -> dict[str, pa.Array]:
        """The meanings as columns of the truth, themes and languages by name."""
        themes = pa.array([*THEMES, None])
        return {
            "language": pa.array(LANGUAGES).take(pa.array(self.language)),
            "tone": pa.array(self.tone, pa.int8()),
            "first_theme": themes.take(pa.array(self.first_theme)),
            "first_tone": pa.array(self.first_tone, pa.int8()),
            "second_theme": themes.take(pa.array(np.where(self.second_theme < 0, len(THEMES), self.second_theme))),
            "second_tone": pa.array(self.second_tone, pa.int8(), mask=self.second_theme < 0),
            "is_negated": pa.array(self.is_negated),
            "has_wish": pa.array(self.has_wish),
        }


def chosen(uniforms: Floats, weights: Floats) -> Ints:
    """Places chosen by weight.

    Args:
        uniforms: one draw from [0, 1) per row.
        weights: shape (rows or 1, choices), not negative, each row with a positive sum.

    Returns:
        The place of the choice, per row.
    """
    upto = np.cumsum(np.broadcast_to(weights, (len(uniforms), weights.shape[-1])), axis=1)
    return np.asarray((uniforms[:, None] * upto[:, -1:] >= upto[:, :-1]).sum(axis=1), dtype=np.int64)


def drawn_meanings(
    rng: np.random.Generator, plan: Texts, language: Ints, tone: Ints, theme_weights: Floats
) -> Meanings:
    """Draw what texts mean.

    Args:
        rng: a stream of these texts' own; row k takes the k-th seven draws, so that a longer list begins as a shorter.
        plan: how customers write.
        language: place in `LANGUAGES`, per text.
        tone: -1, 0, 1, per text.
        theme_weights: shape (texts or 1, themes): what the first clause is about.
    """
    draws = rng.random((len(tone), _DRAWS_OF_MEANING))
    theme = chosen(draws[:, 0], theme_weights)
    is_mixed = draws[:, 1] < np.where(tone == 0, plan.balanced_share, plan.mixed_share)
    has_second = is_mixed | (draws[:, 2] < plan.second_clause_share)
    leading = np.where(draws[:, 3] < 0.5, 1, -1)
    first_tone = np.where(is_mixed, leading, tone)
    other_theme = (theme + 1 + (draws[:, 4] * (len(THEMES) - 1)).astype(np.int64)) % len(THEMES)
    return Meanings(
        language=language,
        tone=tone,
        first_theme=theme,
        first_tone=first_tone,
        second_theme=np.where(has_second, other_theme, NO_CLAUSE),
        second_tone=np.where(is_mixed, -leading, np.where(has_second, tone, 0)),
        is_negated=(draws[:, 5] < plan.negated_share) & (first_tone != 0),
        has_wish=draws[:, 6] < plan.wish_share,
    )


def composed(rng: np.random.Generator, meanings: Meanings, rows: Ints, ending: str = "closing") -> pa.Array:
    """Words for some of the meanings.

    Args:
        rng: a stream of these texts' own; the k-th meaning takes the k-th eight draws, whether it is written or not.
        meanings: what the texts mean.
        rows: which of them are written.
        ending: what ends a text that has no wish: closing, request or tag.

    Returns:
        Strings, one per row.
    """
    draws = rng.random((len(meanings.tone), _PARTS))[rows]
    meanings = meanings.take(rows)
    slot = {name: place for place, name in enumerate(_SLOTS)}
    has_second = meanings.second_theme != NO_CLAUSE
    contrasts = meanings.first_tone * meanings.second_tone < 0
    # A mixed text opens and ends without taking sides.
    outer_tone = np.where(contrasts, 0, meanings.tone)
    second_theme = np.maximum(meanings.second_theme, 0)

    def if_second(name: str) -> Ints:
        return np.where(has_second, slot[name], slot["nothing"])

    parts: list[tuple[Ints | int, Ints, Ints]] = [
        (slot["opening"], meanings.first_theme, outer_tone),
        (slot["first_subject"], meanings.first_theme, outer_tone),
        (np.where(meanings.is_negated, slot["negated"], slot["plain"]), meanings.first_theme, meanings.first_tone),
        (np.where(contrasts, slot["contrasting"], if_second("continuing")), second_theme, outer_tone),
        (if_second("second_subject"), second_theme, outer_tone),
        (if_second("plain"), second_theme, meanings.second_tone),
        (slot["stop"], second_theme, outer_tone),
        (np.where(meanings.has_wish, slot["wish"], slot[ending]), meanings.first_theme, outer_tone),
    ]
    phrases, start, count = _vocabulary()
    pieces = []
    for place, (slots, theme, tone) in enumerate(parts):
        cell = (slots, meanings.language, theme, tone + 1)
        picked = start[cell] + (draws[:, place] * count[cell]).astype(np.int64)
        pieces.append(phrases.take(pa.array(picked)))
    return pc.binary_join_element_wise(*pieces, "")


@cache
def _vocabulary() -> tuple[pa.Array, Ints, Ints]:
    """All phrases in one list, and where those of a (slot, language, theme, tone) start and how many they are."""
    shape = (len(_SLOTS), len(BOOKS), len(THEMES), len(TONES))
    start, count = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    phrases: list[str] = []
    for language, book in enumerate(BOOKS):
        for (theme_place, theme), (tone_place, tone) in product(enumerate(THEMES), enumerate(TONES)):
            for place, choices in enumerate(_choices(book, theme, tone)):
                start[place, language, theme_place, tone_place] = len(phrases)
                count[place, language, theme_place, tone_place] = len(choices)
                phrases.extend(choices)
    return pa.array(phrases), start, count


def _choices(book: PhraseBook, theme: str, tone: str) -> Iterator[tuple[str, ...]]:
    """The phrases for each slot, in the order of the slots, with the spaces that they bring."""
    clauses, space = book.clauses[theme], book.space
    plain = clauses.plain[tone]

    def after_space(sentences: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(space + sentence if sentence else "" for sentence in sentences)

    yield ("",)
    yield tuple(sentence + space if sentence else "" for sentence in book.openings[tone])
    yield tuple(subject[0].upper() + subject[1:] + space for subject in clauses.subjects)
    yield plain
    yield clauses.negated.get(tone, plain)
    yield book.continuing
    yield book.contrasting
    yield tuple(space + subject + space for subject in clauses.subjects)
    yield (book.stop,)
    yield after_space(book.closings[tone])
    yield after_space(clauses.wishes)
    yield after_space(book.requests)
    yield after_space(book.tags)
