"""What texts are about, found in the texts: themes with names, and keys that last from night to night.

Belongs here: finding themes, giving them keys, finding them in texts. Does not belong here: terms (`terms.py`), drivers
that themes belong to (`theme_drivers.py`), volumes and effects (`theme_table.py`).

Themes of a language are the parts of a non-negative factorisation of its clauses. They are found on the first days of
quarters, from what had been written by then, and each such day starts from the themes of the one before: parts that
stay alike keep their key, parts that died give way to what is new. So the themes of a night follow from the texts and
the date alone: every night of a quarter has the same, and a rebuilt night has those that it had.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linear_sum_assignment

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.factorisation import DIGITS, factorised, overlaps, with_leaders
from dagster_project.modelling.voice.ngrams import normalised, text_hashes
from dagster_project.modelling.voice.terms import Clauses, Vocabulary, clauses_of, learn_vocabulary, weigh_terms

_MONTHS_PER_QUARTER = 3
_ROUNDS_FIRST, _ROUNDS_LATER, _ROUNDS_SETTLING, _ROUNDS_READING = 40, 15, 5, 20
_NEWCOMERS = 3  # parts that are tried beyond those that stay, so that what is new can take the place of the weakest
_COUNT_NAME_TERMS = 4


@dataclass(frozen=True)
class ThemeSettings:
    """How themes are found.

    Attributes:
        count_themes: of a language at most.
        minimum_clauses: distinct ones that a language needs, and a theme a twentieth of them.
        maximum_clauses: distinct ones that themes are found in, chosen by a hash of their words.
        looks_back_days: how long before the day on which themes are found a text may have been written.
        rarest_term: clauses that must hold a term.
        commonest_share: of clauses, that a term may be in.
        maximum_terms: of a language.
        kept_likeness: cosine of a part before and after, from which it keeps its key.
        smallest_strength: how much of a clause must lie along a theme for it to be mentioned, 0 to 1.
    """

    count_themes: int = 30
    minimum_clauses: int = 200
    maximum_clauses: int = 6_000
    looks_back_days: int = 730
    rarest_term: int = 5
    commonest_share: float = 0.3
    maximum_terms: int = 3_000
    kept_likeness: float = 0.5
    smallest_strength: float = 0.4


@dataclass(frozen=True)
class Themes:
    """The themes of one language, as they were found on one day.

    Attributes:
        found_on: that day.
        vocabulary: terms.
        parts: weights of the terms in each theme, each of length 1, shape (themes, terms).
        keys: of the themes.
        first_found_on: the day on which each got its key.
    """

    found_on: dt.date
    vocabulary: Vocabulary
    parts: FloatArray
    keys: tuple[str, ...]
    first_found_on: tuple[dt.date, ...]

    def top_terms(self, count: int = _COUNT_NAME_TERMS) -> list[list[str]]:
        """The most telling terms of each theme; none is a part of another."""
        names = self.vocabulary.names
        ranked = [np.argsort(-part, kind="stable")[: np.count_nonzero(part)] for part in self.parts]
        return [_telling(names[places], count) for places in ranked]

    def named_weights(self, theme: int) -> dict[str, float]:
        """Term → weight of one theme, of the terms that it has."""
        held = np.flatnonzero(self.parts[theme])
        return dict(zip(self.vocabulary.names[held].tolist(), self.parts[theme][held].tolist(), strict=True))


def quarter_starts(first: dt.date, as_of: dt.date) -> list[dt.date]:
    """The first days of quarters after `first`, up to and with `as_of`, rising."""
    quarter = (first.month - 1) // _MONTHS_PER_QUARTER + 1
    days: list[dt.date] = []
    year = first.year
    while True:
        if quarter == 12 // _MONTHS_PER_QUARTER:
            year, quarter = year + 1, 0
        day = dt.date(year, quarter * _MONTHS_PER_QUARTER + 1, 1)
        if day > as_of:
            return days
        days.append(day)
        quarter += 1


def find_themes(texts: pd.DataFrame, as_of: dt.date, settings: ThemeSettings | None = None) -> dict[str, Themes]:
    """The themes of each language as of a night; the order of the rows does not matter.

    Args:
        texts: text, language, written_date (business day); rows after as-of are not looked at.
        as_of: the night.
        settings: how they are found.

    Returns:
        Language → themes, of languages that had enough clauses on the first day of some quarter.

    Raises:
        ValueError: a column is missing.
    """
    settings = settings or ThemeSettings()
    missing = {"text", "language", "written_date"} - set(texts.columns)
    if missing:
        raise ValueError(f"texts lack {', '.join(sorted(missing))}; expected text, language, written_date")
    known = texts[texts["text"].notna() & texts["language"].notna()]
    written = pd.to_datetime(known["written_date"]).to_numpy(dtype="datetime64[D]")
    found: dict[str, Themes] = {}
    for language in sorted(known["language"].astype("str").unique()):
        is_own = (known["language"] == language).to_numpy(dtype=np.bool_) & (written <= np.datetime64(as_of, "D"))
        if not is_own.any():
            continue
        clauses = clauses_of(normalised(known["text"][is_own]))
        days = written[is_own][clauses.text_of]
        for themes in _through_time(language, clauses, days, as_of, settings):
            found[language] = themes
    return found


def mentions(texts: pd.DataFrame, themes: dict[str, Themes], settings: ThemeSettings | None = None) -> pd.DataFrame:
    """Which themes texts mention.

    Args:
        texts: text_key, text, language.
        themes: by language.
        settings: how strong a mention must be.

    Returns:
        One row per text and theme that it mentions, in order of both: text_key, theme_key, strength (how much of one of
        its clauses lies along the theme, 0 to 1).
    """
    settings = settings or ThemeSettings()
    rows = []
    for language, found in themes.items():
        own = texts[(texts["language"] == language).fillna(False) & texts["text"].notna()]
        if own.empty:
            continue
        clauses = clauses_of(normalised(own["text"]))
        strength = _strengths(clauses, found)
        clause, theme = np.nonzero(strength >= settings.smallest_strength)
        rows.append(
            pd.DataFrame(
                {
                    "text_key": own["text_key"].astype("str").to_numpy()[clauses.text_of[clause]],
                    "theme_key": np.array(found.keys, dtype=object)[theme],
                    "strength": strength[clause, theme],
                }
            )
        )
    columns = {"text_key": "str", "theme_key": "str", "strength": "float64"}
    together = pd.concat(rows) if rows else pd.DataFrame(columns=list(columns))
    strongest = together.astype(columns).groupby(["text_key", "theme_key"], sort=True)["strength"].max()
    return strongest.reset_index()


def _through_time(
    language: str, clauses: Clauses, days: npt.NDArray[np.datetime64], as_of: dt.date, settings: ThemeSettings
) -> Iterator[Themes]:
    """The themes of each quarter, the latest last."""
    words, place_of = np.unique(np.array(clauses.words, dtype=object), return_inverse=True)
    order = np.argsort(text_hashes(words.tolist()), kind="stable")
    before: Themes | None = None
    for day in quarter_starts(days.min().astype(dt.date), as_of):
        since = np.datetime64(day - dt.timedelta(days=settings.looks_back_days), "D")
        is_seen = np.zeros(len(words), dtype=np.bool_)
        is_seen[place_of[(days < np.datetime64(day, "D")) & (days >= since)]] = True
        sample = words[np.sort(order[is_seen[order]][: settings.maximum_clauses])].tolist()
        if len(sample) < settings.minimum_clauses:
            continue
        before = _found(language, sample, day, before, settings)
        yield before


def _found(
    language: str, sample: Sequence[str], day: dt.date, before: Themes | None, settings: ThemeSettings
) -> Themes:
    vocabulary = learn_vocabulary(sample, settings.rarest_term, settings.commonest_share, settings.maximum_terms)
    weights = weigh_terms(sample, vocabulary)
    count = max(1, min(settings.count_themes, 20 * len(sample) // settings.minimum_clauses))
    carried = _carried(before, vocabulary) if before else np.zeros((0, len(vocabulary)))
    start = with_leaders(weights, carried[carried.any(axis=1)], count + _NEWCOMERS)
    parts, sizes = factorised(weights, start, _ROUNDS_LATER if before else _ROUNDS_FIRST)
    strongest = np.sort(np.argsort(-sizes, kind="stable")[:count])
    parts, _ = factorised(weights, parts[strongest], _ROUNDS_SETTLING)
    keys, first = _keyed(language, parts, day, before, carried, settings.kept_likeness)
    return Themes(day, vocabulary, parts, keys, first)


def _carried(before: Themes, vocabulary: Vocabulary) -> FloatArray:
    """Earlier themes over the terms of today."""
    place = np.minimum(np.searchsorted(before.vocabulary.hashes, vocabulary.hashes), len(before.vocabulary) - 1)
    is_known = before.vocabulary.hashes[place] == vocabulary.hashes
    return np.where(is_known, before.parts[:, place], 0.0)


def _keyed(
    language: str, parts: FloatArray, day: dt.date, before: Themes | None, carried: FloatArray, kept_likeness: float
) -> tuple[tuple[str, ...], tuple[dt.date, ...]]:
    """A key per part: that of the earlier theme that it is most like, else a new one."""
    heirs: dict[int, int] = {}
    if before is not None:
        lengths = np.maximum(np.sqrt((carried**2).sum(axis=1)), 1e-12)
        likeness = np.round(np.einsum("ij,kj->ik", parts, carried / lengths[:, None]), DIGITS)
        pairs = zip(*linear_sum_assignment(-likeness), strict=True)
        heirs = {int(part): int(earlier) for part, earlier in pairs if likeness[part, earlier] >= kept_likeness}
    keys, first, count_fresh = [], [], 0
    for part in range(len(parts)):
        if before is not None and part in heirs:
            keys.append(before.keys[heirs[part]])
            first.append(before.first_found_on[heirs[part]])
            continue
        count_fresh += 1
        keys.append(f"{language.lower()}-{day:%Y%m}-{count_fresh:02d}")
        first.append(day)
    return tuple(keys), tuple(first)


def _strengths(clauses: Clauses, themes: Themes) -> FloatArray:
    """How much of each clause lies along each theme, 0 to 1, shape (clauses, themes); 0 where it holds no term."""
    from dagster_project.modelling.voice.theme_loops import improve

    distinct, place_of = np.unique(np.array(clauses.words, dtype=object), return_inverse=True)
    weights = weigh_terms(distinct.tolist(), themes.vocabulary)
    shares = np.full((len(distinct), len(themes.parts)), 0.1)
    improve(shares, weights @ themes.parts.T, overlaps(themes.parts.T), _ROUNDS_READING)
    shares[np.diff(weights.indptr) == 0] = 0
    return np.round(np.minimum(shares, 1), DIGITS)[place_of]


def _telling(names: np.ndarray, count: int) -> list[str]:
    """The first names of which none holds another or laps over it."""
    chosen: list[str] = []
    for name in names.tolist():
        if len(chosen) == count:
            break
        if not any(_laps_over(name, other) for other in chosen):
            chosen.append(name)
    return chosen


def _laps_over(name: str, other: str) -> bool:
    if " " in name + other or name.isascii():
        return bool(set(name.split(" ")) & set(other.split(" ")))
    return len(set(name) & set(other)) >= min(len(name), len(other)) - (min(len(name), len(other)) > 2)
