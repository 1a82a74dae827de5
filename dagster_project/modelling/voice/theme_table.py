"""What is published of a theme: how much, since when more, in what tone, and what it does to the score.

Belongs here: counting mentions, and the effect of a theme. Does not belong here: finding themes (`themes.py`), what a
customer wrote, of which at most masked examples leave this place (`example_texts`).

A text counts once for a theme, however often it comes back to it, and for each theme that it mentions. Its sentiment is
that of the whole text: of one that praises the goods and scolds the parcel, both themes get the middle.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from dagster_project.modelling.voice.ngrams import normalised, text_hashes
from dagster_project.modelling.voice.themes import Themes

THEMES = {
    "theme_key": "str",
    "language": "str",
    "theme_name": "str",
    "driver": "str",
    "found_on": "object",
    "first_found_on": "object",
    "count_texts": "int64",
    "texts_share": "float64",
    "count_texts_recent": "int64",
    "count_texts_before": "int64",
    "share_change": "float64",
    "share_change_low": "float64",
    "share_change_high": "float64",
    "trend": "str",
    "count_texts_read": "int64",
    "mean_sentiment_score": "float64",
    "negative_share": "float64",
}
EFFECTS = {
    "theme_key": "str",
    "instrument": "str",
    "count_answers": "int64",
    "count_answers_with_theme": "int64",
    "net_score": "float64",
    "net_score_with_theme": "float64",
    "score_effect": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
}
_QUANTILE = float(ndtri(0.975))
_MASKS = (
    (re.compile(r"\S+@\S+"), "[e-mail]"),
    (re.compile(r"https?://\S+|www\.\S+"), "[link]"),
    (re.compile(r"(?<!\w)@\w+"), "[handle]"),
    (re.compile(r"\+?\d(?:[\s\-/().]?\d){2,}"), "[number]"),
)
_LONGEST_EXAMPLE = 160


@dataclass(frozen=True)
class Window:
    """The days that are counted.

    Attributes:
        as_of: the last day.
        days: of the whole window, as-of included.
        recent_days: of the recent part, that is held against as many days before it.
    """

    as_of: dt.date
    days: int = 365
    recent_days: int = 91

    def is_within(self, written: pd.Series, days: int, ended_days_ago: int = 0) -> pd.Series:
        """Whether dates lie in the so many days that ended so many days before the end of as-of."""
        last = pd.Timestamp(self.as_of) - pd.Timedelta(days=ended_days_ago)
        moment = pd.to_datetime(written)
        return (moment <= last) & (moment > last - pd.Timedelta(days=days))


def theme_table(
    themes: Mapping[str, Themes],
    mentioned: pd.DataFrame,
    texts: pd.DataFrame,
    window: Window,
    driver_of: Callable[[str, Mapping[str, float]], str | None],
) -> pd.DataFrame:
    """One row per theme, in the order of their keys.

    Args:
        themes: by language.
        mentioned: text_key, theme_key, each pair once.
        texts: text_key, language, written_date, sentiment_score (null unless read), tone.
        window: the days that are counted.
        driver_of: language and weights of a theme's terms → its driver.

    Returns:
        theme_key, language, theme_name, driver (null where no list names one), found_on, first_found_on, count_texts
        of the window, texts_share (of the language's texts), count_texts_recent and count_texts_before (of the recent
        days and of as many before), share_change between the two with 95 % limits, trend (`rising`, `falling`;
        `cannot_say` where the limits hold zero), count_texts_read, mean_sentiment_score (-1 to 1) and negative_share of
        those; shares and means are null without a base.
    """
    own = texts[window.is_within(texts["written_date"], window.days)]
    days = window.recent_days
    own = own.assign(
        is_recent=window.is_within(own["written_date"], days),
        is_before=window.is_within(own["written_date"], days, days),
    )
    with_theme = mentioned[["text_key", "theme_key"]].merge(own, on="text_key")
    rows: list[dict[str, object]] = []
    for language, found in sorted(themes.items()):
        base = own[own["language"] == language]
        for place, (key, terms) in enumerate(zip(found.keys, found.top_terms(), strict=True)):
            theme = with_theme[with_theme["theme_key"] == key]
            named = {
                "theme_key": key,
                "language": language,
                "theme_name": " · ".join(terms),
                "driver": driver_of(language, found.named_weights(place)),
                "found_on": found.found_on,
                "first_found_on": found.first_found_on[place],
            }
            rows.append(named | _volume(theme, base) | _tone(theme))
    table = pd.DataFrame(rows, columns=list(THEMES)).astype(THEMES)
    return table.sort_values("theme_key", kind="stable", ignore_index=True).round(6)


def theme_effects(mentioned: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """What each theme does to a score: the score less what it would be without the answers that mention the theme.

    With n_t of N answers mentioning the theme it is n_t (S_t - S) / (N - n_t). The limits take n_t and N as given.
    It is no cause: who writes of a theme may be discontent with something else.

    Args:
        mentioned: text_key, theme_key, each pair once.
        answers: text_key (of the answer), instrument, net_score (100, 0 or -100); answers without a text included.

    Returns:
        One row per theme and instrument with at least one answer that mentions it, in order of both: theme_key,
        instrument, count_answers (N), count_answers_with_theme (n_t), net_score (S), net_score_with_theme (S_t),
        score_effect in points with 95 % limits; null where every answer mentions it, limits also below two answers on
        either side.
    """
    with_theme = mentioned[["text_key", "theme_key"]].merge(answers, on="text_key")
    moments = with_theme.groupby(["theme_key", "instrument"], sort=True)["net_score"].agg(["size", "sum", _squares])
    whole = answers.groupby("instrument", sort=True)["net_score"].agg(["size", "sum", _squares])
    rows: list[dict[str, object]] = []
    keys, sums = moments.index.to_frame().astype("str"), moments.to_numpy(dtype=np.float64)
    for theme, instrument, found in zip(keys["theme_key"], keys["instrument"], sums, strict=True):
        effect = _effect(found, whole.loc[instrument].to_numpy(dtype=np.float64))
        rows.append({"theme_key": theme, "instrument": instrument} | effect)
    return pd.DataFrame(rows, columns=list(EFFECTS)).astype(EFFECTS).round(6)


def example_texts(mentioned: pd.DataFrame, texts: pd.DataFrame, window: Window, count: int) -> pd.DataFrame:
    """The texts that mention each theme most strongly, masked and short, no two of one wording.

    Masking takes out what looks like an address, a link, a handle or a number. It knows no names, so what is left may
    still tell who wrote it.

    Args:
        mentioned: text_key, theme_key, strength.
        texts: text_key, text, written_date.
        window: the days that texts are taken from.
        count: of examples per theme.

    Returns:
        theme_key, example_rank (from 1), example_text.
    """
    own = texts[window.is_within(texts["written_date"], window.days) & texts["text"].notna()]
    rows = mentioned.merge(own[["text_key", "text"]], on="text_key")
    rows["example_text"] = [masked(text) for text in rows["text"]]
    rows["wording"] = text_hashes(normalised(rows["example_text"]))
    rows = rows.sort_values(["theme_key", "strength", "wording"], ascending=[True, False, True], kind="stable")
    rows = rows.drop_duplicates(["theme_key", "wording"])
    rows["example_rank"] = rows.groupby("theme_key").cumcount() + 1
    return rows.loc[rows["example_rank"] <= count, ["theme_key", "example_rank", "example_text"]].reset_index(drop=True)


def masked(text: str) -> str:
    """A text without what looks like an address, a link, a handle or a number, cut to 160 characters."""
    words = " ".join(text.split())
    for pattern, mask in _MASKS:
        words = pattern.sub(mask, words)
    return words if len(words) <= _LONGEST_EXAMPLE else f"{words[: _LONGEST_EXAMPLE - 1].rstrip()}…"


def _volume(theme: pd.DataFrame, base: pd.DataFrame) -> dict[str, object]:
    recent, before = int(theme["is_recent"].sum()), int(theme["is_before"].sum())
    of_recent, of_before = int(base["is_recent"].sum()), int(base["is_before"].sum())
    change, low, high = _change(recent, of_recent, before, of_before)
    return {
        "count_texts": len(theme),
        "texts_share": len(theme) / len(base) if len(base) else None,
        "count_texts_recent": recent,
        "count_texts_before": before,
        "share_change": change,
        "share_change_low": low,
        "share_change_high": high,
        "trend": "rising"
        if low is not None and low > 0
        else "falling"
        if high is not None and high < 0
        else "cannot_say",
    }


def _change(
    recent: int, of_recent: int, before: int, of_before: int
) -> tuple[float | None, float | None, float | None]:
    """Difference of two shares, with the limits of Agresti and Caffo (2000): one of each kind added on both sides."""
    if not of_recent or not of_before:
        return None, None, None
    after, earlier = (recent + 1) / (of_recent + 2), (before + 1) / (of_before + 2)
    error = np.sqrt(after * (1 - after) / (of_recent + 2) + earlier * (1 - earlier) / (of_before + 2))
    centre, reach = after - earlier, _QUANTILE * float(error)
    return recent / of_recent - before / of_before, centre - reach, centre + reach


def _tone(theme: pd.DataFrame) -> dict[str, object]:
    read = theme[theme["sentiment_score"].notna()]
    return {
        "count_texts_read": len(read),
        "mean_sentiment_score": float(read["sentiment_score"].mean()) if len(read) else None,
        "negative_share": float((read["tone"] == "negative").mean()) if len(read) else None,
    }


def _squares(scores: pd.Series) -> float:
    return float((scores**2).sum())


def _effect(theme: np.ndarray, whole: np.ndarray) -> dict[str, object]:
    """From count, sum and sum of squares of the answers with the theme and of all."""
    count, total = int(theme[0]), int(whole[0])
    rest = whole - theme
    effect = reach = None
    if rest[0] > 0:
        effect = count * (theme[1] / count - whole[1] / total) / (total - count)
    if count > 1 and rest[0] > 1:
        variances = [(part[2] - part[1] ** 2 / part[0]) / (part[0] - 1) / part[0] for part in (theme, rest)]
        reach = _QUANTILE * count / total * float(np.sqrt(sum(max(variance, 0.0) for variance in variances)))
    return {
        "count_answers": total,
        "count_answers_with_theme": count,
        "net_score": whole[1] / total,
        "net_score_with_theme": theme[1] / count,
        "score_effect": effect,
        "ci_low": None if effect is None or reach is None else effect - reach,
        "ci_high": None if effect is None or reach is None else effect + reach,
    }
