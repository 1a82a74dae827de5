"""The words of `vocabulary.yml`: feeds, their columns, and what exports call both.

Belongs here: reading the words and comparing names. Does not belong here: what values look like (`profiling.py`), the
choice among several (`guessing.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

VOCABULARY = Path(__file__).with_name("vocabulary.yml")
_NOISE = frozenset({"dataset", "data", "export", "list", "table", "file", "all", "new", "the"})
_WORD_END = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")


@dataclass(frozen=True)
class Role:
    """A column of ours.

    Attributes:
        name: as in the staging models.
        kind: what its values look like: id, text, code, moment, date, number, whole, score, flag or currency.
        names: what exports call it, each a set of words.
        is_required: whether a feed without it is none.
    """

    name: str
    kind: str
    names: tuple[frozenset[str], ...]
    is_required: bool


@dataclass(frozen=True)
class Feed:
    """A feed of ours.

    Attributes:
        name: a noun in the plural.
        title: what its rows are.
        names: what files of it are called, each a set of words.
        key: the columns that name a row.
        roles: by name.
    """

    name: str
    title: str
    names: tuple[frozenset[str], ...]
    key: tuple[str, ...]
    roles: Mapping[str, Role]


def words(name: str) -> frozenset[str]:
    """The words of a name in lower case and without accents; a singular and its plural are one word.

    A name in Chinese or Japanese characters is one word.
    """
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", name) if not unicodedata.combining(mark))
    found = (word.lower() for word in _WORD_END.split(plain) if word)
    return frozenset(_singular(word) for word in found if word not in _NOISE)


def likeness(name: str, known: tuple[frozenset[str], ...], context: frozenset[str] = frozenset()) -> float:
    """How much a name is like the best of the known ones, 0 to 1; words that only repeat the context count for nothing.

    Args:
        name: of a column or a file.
        known: sets of words.
        context: words that the whole file shares, as `order` in `order_status` of a file of orders.
    """
    told = words(name)
    bare = told - context or told
    return max((_overlap(form, other) for other in known for form in (told, bare)), default=0.0)


def _overlap(told: frozenset[str], other: frozenset[str]) -> float:
    if told == other:
        return 1.0
    shared = len(told & other)
    return 0.9 * shared / len(told | other) if shared else 0.0


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word


@cache
def vocabulary() -> Mapping[str, Feed]:
    """The feeds by name."""
    told = yaml.safe_load(VOCABULARY.read_text(encoding="utf-8"))["feeds"]
    return {name: _feed(name, described) for name, described in told.items()}


def knows(name: str) -> bool:
    """Whether some feed has a column of exactly this name."""
    return words(name) in _names_of_columns()


@cache
def _names_of_columns() -> frozenset[frozenset[str]]:
    return frozenset(names for feed in vocabulary().values() for role in feed.roles.values() for names in role.names)


def _feed(name: str, told: dict[str, Any]) -> Feed:
    roles = {
        role: Role(role, said["kind"], _sets([role, *said["names"]]), said.get("required", False))
        for role, said in told["columns"].items()
    }
    return Feed(name, told["title"], _sets(told["names"]), tuple(told["key"]), roles)


def _sets(names: list[str]) -> tuple[frozenset[str], ...]:
    return tuple(words(name) for name in names)


@cache
def _codes() -> Mapping[str, Mapping[frozenset[str], str]]:
    told = yaml.safe_load(VOCABULARY.read_text(encoding="utf-8"))["codes"]
    return {
        role: {words(name): ours for ours, names in known.items() for name in [ours, *names]}
        for role, known in told.items()
    }


def code_of(role: str, code: str, feed: str = "") -> str | None:
    """Our name of a code of a column; None where we know none, or the column has no known codes."""
    return _codes_of(role, feed).get(words(code))


def has_codes(role: str, feed: str) -> bool:
    """Whether the models know the codes of a column."""
    return bool(_codes_of(role, feed))


def _codes_of(role: str, feed: str) -> Mapping[frozenset[str], str]:
    return _codes().get(f"{feed}.{role}") or _codes().get(role, {})


def identifier_kind(column: str) -> str | None:
    """The kind of direct identifier that a column's name tells; None where it tells none."""
    return next((kind for kind, names in _identifiers().items() if likeness(column, names) == 1), None)


@cache
def _identifiers() -> Mapping[str, tuple[frozenset[str], ...]]:
    told = yaml.safe_load(VOCABULARY.read_text(encoding="utf-8"))["identifiers"]
    return {kind: _sets(names) for kind, names in told.items()}
