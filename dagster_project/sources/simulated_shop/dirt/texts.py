"""What dirt writes: the new texts of a column, as functions of the rows chosen.

Belongs here: changes that more than one kind or feed can use, and the texts that sources really send. Does not belong
here: which kind uses which (`kinds.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

import numpy as np

from dagster_project.sources.simulated_shop.dirt.kind import Change, Chosen

UNREADABLE_TIMES = ("2025-13-45 99:99:99", "yesterday", "0000-00-00 00:00:00", "31/02/2025 8am")
NUMBER_WORDS = ("one", "two", "a dozen")
SCORES_IN_WORDS = ("10/10", "nine", "9.5", "n/a")
SCORES_OFF_SCALE = ("11", "-1", "99")
_CYRILLIC = {"a": "\u0430", "e": "\u0435", "o": "\u043e", "p": "\u0440"}
_LATIN = re.compile("[aeop]")
_SECONDS = "%Y-%m-%d %H:%M:%S"


def written(text: str | None) -> Change:
    """The same text in every row; None leaves the field empty."""
    return lambda chosen: [text] * len(chosen.at)


def one_of(options: Sequence[str]) -> Change:
    """One of some texts, drawn for each row."""
    return lambda chosen: chosen.pick(options)


def marked(column: str, mark: str) -> Change:
    """The column's own text with a mark behind it: an id that no other row has."""
    return lambda chosen: [f"{text}-{mark}" if text else None for text in chosen.texts(column)]


def copied(column: str) -> Change:
    """The text of another column of the same row."""
    return lambda chosen: [text or None for text in chosen.texts(column)]


def padded(column: str) -> Change:
    """Spaces around the text."""
    return lambda chosen: [f" {text}  " for text in chosen.texts(column)]


def negated(column: str) -> Change:
    """A minus before the number."""
    return lambda chosen: [f"-{text}" for text in chosen.texts(column)]


def times_hundred(column: str) -> Change:
    """An amount in cents where units are expected: the decimal point is lost, and two zeros stand behind it."""
    return lambda chosen: [f"{text.replace('.', '').lstrip('0') or '0'}.00" for text in chosen.texts(column)]


def at_clock(column: str, clock: str) -> Change:
    """Another time of the same day."""
    return lambda chosen: [f"{text[:10]} {clock}" for text in chosen.texts(column)]


def in_year(column: str, year: int) -> Change:
    """The same day of another year, of a clock that runs ahead."""
    return lambda chosen: [f"{year:04d}-{text[5:].replace('02-29', '02-28')}" for text in chosen.texts(column)]


def moved(column: str, low_seconds: int, high_seconds: int) -> Change:
    """A time moved by a number of seconds drawn between two bounds, the upper one left out."""
    span = np.uint64(high_seconds - low_seconds)

    def change(chosen: Chosen) -> list[str | None]:
        seconds = (chosen.drawn % span).astype(np.int64) + low_seconds
        return [
            _shifted(text, int(by)) if text else None for text, by in zip(chosen.texts(column), seconds, strict=True)
        ]

    return change


def halfway(first: str, last: str) -> Change:
    """The moment in the middle of two others, in whole seconds."""

    def change(chosen: Chosen) -> list[str | None]:
        pairs = zip(chosen.texts(first), chosen.texts(last), strict=True)
        return [_shifted(start, int((_moment(end) - _moment(start)).total_seconds()) // 2) for start, end in pairs]

    return change


def capitals(column: str) -> Change:
    """The text in capitals."""
    return lambda chosen: [text.upper() for text in chosen.texts(column)]


def trailing_space(column: str) -> Change:
    """A space behind the text."""
    return lambda chosen: [f"{text} " for text in chosen.texts(column)]


def with_look_alike(column: str) -> Change:
    """The first a, e, o or p of the text as the Cyrillic letter that looks like it."""

    def change(chosen: Chosen) -> list[str | None]:
        return [_LATIN.sub(lambda found: _CYRILLIC[found[0]], text, count=1) for text in chosen.texts(column)]

    return change


def spelled_out_phone(column: str) -> Change:
    """The same number in another of the ways that people write one: 00 for +, in groups, with hyphens."""

    def change(chosen: Chosen) -> list[str | None]:
        digits = ["".join(mark for mark in text if mark.isdigit()) for text in chosen.texts(column)]
        groups = [" ".join(text[start : start + 3] for start in range(0, len(text), 3)) for text in digits]
        ways = (chosen.drawn % np.uint64(3)).tolist()
        return [
            (f"00{plain}", f"+{grouped}", f"+{grouped.replace(' ', '-')}")[way]
            for plain, grouped, way in zip(digits, groups, ways, strict=True)
        ]

    return change


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _shifted(text: str, seconds: int) -> str:
    return (_moment(text) + dt.timedelta(seconds=seconds)).strftime(_SECONDS)
