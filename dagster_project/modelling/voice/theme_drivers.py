"""Which driver of loyalty a theme belongs to, by lists of words that a shop may change.

Belongs here: matching terms with listed words. The lists stand in `driver_words.csv`, or in a file of the shop's own.
Does not belong here: themes.

The drivers are quality, service, brand, price, promotion, experience and social, and delivery, which is kept apart from
service because it has causes of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

DRIVERS = ("quality", "service", "brand", "price", "promotion", "experience", "social", "delivery")
DRIVER_WORDS = Path(__file__).with_name("driver_words.csv")
"""The lists that serve unless a shop names its own: English, Portuguese, and Chinese in both scripts."""
_SMALLEST_WEIGHT = 0.1
"""Share of a theme's squared weights that must lie on words of the driver."""
_LEAD = 1.25
"""How many times the weight of the next driver the first must have: a theme between two belongs to neither."""


class DriverWords:
    """The word lists, by language.

    Args:
        lists: driver, language (BCP 47; `zh` serves `zh-Hant` and `zh-Hans`), words (with spaces between; a word that
            ends in * stands for all that begin so).

    Raises:
        ValueError: a driver is not known, or a column is missing.
    """

    def __init__(self, lists: pd.DataFrame) -> None:
        missing = {"driver", "language", "words"} - set(lists.columns)
        unknown = set() if missing else set(lists["driver"]) - set(DRIVERS)
        if missing or unknown:
            raise ValueError(
                f"driver words lack {sorted(missing)} or name {sorted(unknown)}; expected the columns driver, language "
                f"and words, and the drivers {', '.join(DRIVERS)}"
            )
        self._patterns: dict[str, dict[str, re.Pattern[str]]] = {}
        for language, driver, words in zip(lists["language"], lists["driver"], lists["words"], strict=True):
            self._patterns.setdefault(language, {})[driver] = _pattern(words)

    def driver_of(self, language: str, weights: Mapping[str, float]) -> str | None:
        """The driver that a theme belongs to; None where no list says so.

        Args:
            language: of the theme.
            weights: term → weight.
        """
        patterns = self._patterns.get(language) or self._patterns.get(language.partition("-")[0], {})
        whole = sum(weight**2 for weight in weights.values())
        found = {
            driver: sum(weight**2 for term, weight in weights.items() if pattern.search(term))
            for driver, pattern in patterns.items()
        }
        ranked = sorted(((weight, driver) for driver, weight in found.items()), reverse=True)
        if not ranked or whole == 0 or ranked[0][0] < _SMALLEST_WEIGHT * whole:
            return None
        return ranked[0][1] if len(ranked) == 1 or ranked[0][0] >= _LEAD * ranked[1][0] else None


def _pattern(words: str) -> re.Pattern[str]:
    listed = [re.escape(word.casefold()) for word in words.split()]
    latin = [word.replace(r"\*", r"\w*") for word in listed if word.isascii() or not _is_ideographic(word)]
    ideographic = [word for word in listed if _is_ideographic(word)]
    parts = ([rf"\b(?:{'|'.join(latin)})\b"] if latin else []) + ideographic
    return re.compile("|".join(parts))


def _is_ideographic(word: str) -> bool:
    return ord(word[0]) >= 0x2E80
