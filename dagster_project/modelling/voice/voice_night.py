"""A night of the voice: the tables that the models of texts, silence and drivers fill.

Belongs here: which model reads what, and the shape of each table. Does not belong here: models, queries
(`voice_facts.py`), writing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd

from dagster_project.modelling.voice import voice_facts
from dagster_project.modelling.voice.drivers import EFFECTS, IMPORTANCE, satisfaction_drivers
from dagster_project.modelling.voice.nonresponse import NonresponseSettings, weigh
from dagster_project.modelling.voice.sentiment import SentimentModel, SentimentSettings, fit_sentiment
from dagster_project.modelling.voice.sentiment_scores import judged
from dagster_project.modelling.voice.silence import ASSUMPTION, informed_by_each_other, silence_slope
from dagster_project.modelling.voice.theme_drivers import DRIVER_WORDS, DriverWords
from dagster_project.modelling.voice.theme_table import Window, example_texts, theme_effects, theme_table
from dagster_project.modelling.voice.themes import Themes, ThemeSettings, find_themes, mentions

_MOST_ANSWERS = 200_000  # that drivers are judged by


@dataclass(frozen=True)
class VoiceSettings:
    """What a shop chooses about the voice.

    Attributes:
        sentiment: how texts are read.
        themes: how themes are found.
        nonresponse: how silence is weighed.
        window_days: that themes and weighed scores are counted over.
        repurchase_days: within which another order is looked for.
        driver_words: the lists of words that tell a theme's driver.
        count_examples: masked texts shown for a theme; 0 for none.
    """

    sentiment: SentimentSettings = field(default_factory=SentimentSettings)
    themes: ThemeSettings = field(default_factory=ThemeSettings)
    nonresponse: NonresponseSettings = field(default_factory=NonresponseSettings)
    window_days: int = 365
    repurchase_days: int = 90
    driver_words: Path = DRIVER_WORDS
    count_examples: int = 0


class VoiceNight:
    """One night's models of the voice, and the tables that they fill, in the order in which they are asked for.

    Args:
        con: a connection to the build; every table is read through a cursor of it.
        as_of: the night.
        settings: what the shop chose.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: VoiceSettings) -> None:
        self._con, self._as_of, self._settings = con, as_of, settings
        self._window = Window(as_of, settings.window_days)
        self._since = as_of - dt.timedelta(days=settings.window_days - 1)
        rated = voice_facts.rated_texts(con, settings.sentiment.maximum_rated_texts)
        model, scores = judged(fit_sentiment(rated, settings.sentiment), rated)
        self.sentiment: SentimentModel = model
        self.sentiment_scores: pd.DataFrame = scores
        self.themes: dict[str, Themes] = find_themes(voice_facts.texts_of_themes(con), as_of, settings.themes)

    def text_sentiment(self) -> Iterator[pd.DataFrame]:
        """What each text says of itself, in batches, without the text."""
        for batch in voice_facts.all_texts(self._con):
            yield _keyed(self.sentiment.read(batch).assign(written_date=batch["written_date"].to_numpy()))

    def text_themes(self) -> Iterator[pd.DataFrame]:
        """Which themes the window's texts mention, in batches."""
        for batch in voice_facts.all_texts(self._con, self._since):
            yield _keyed(mentions(batch, self.themes, self._settings.themes))

    def theme_tables(self, read: pd.DataFrame, mentioned: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Themes and their effects.

        Args:
            read: the window's rows of `text_sentiment`.
            mentioned: all rows of `text_themes`.
        """
        words = DriverWords(pd.read_csv(self._settings.driver_words))
        texts, pairs = _unkeyed(read), _unkeyed(mentioned)
        themes = theme_table(self.themes, pairs, texts, self._window, words.driver_of)
        effects = theme_effects(pairs, voice_facts.scored_answers(self._con, self._since))
        return themes.assign(example_texts=self._examples(themes, pairs), as_of_date=self._as_of), effects

    def nonresponse(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """A row per survey, and a weight per answer of its base."""
        figures, weights, facts = [], [], voice_facts.NONRESPONSE_FACTS
        panels = {
            survey: voice_facts.survey_panel(self._con, survey, self._as_of, self._settings.window_days)
            for survey in voice_facts.INSTRUMENT_OF_SURVEY
        }
        slopes = informed_by_each_other({survey: silence_slope(panel, facts) for survey, panel in panels.items()})
        for survey, panel in panels.items():
            found = weigh(panel[panel["is_latest"]], facts, self._settings.nonresponse, slopes[survey])
            named = {
                "survey": survey,
                "instrument": voice_facts.INSTRUMENT_OF_SURVEY[survey],
                "assumption": ASSUMPTION,
            }
            figures.append(named | found.figures)
            weights.append(found.weights.rename(columns={"unit_key": "invitation_key"}).assign(survey=survey))
        return pd.DataFrame(figures), pd.concat(weights, ignore_index=True)

    def drivers(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Effects per instrument and fact, and importance per instrument and driver; buying again stands among them."""
        effects = [pd.DataFrame(columns=["instrument", *EFFECTS])]
        importance = [pd.DataFrame(columns=["instrument", *IMPORTANCE])]
        for instrument, outcomes in self._judged_orders():
            found = satisfaction_drivers(outcomes, voice_facts.DRIVER_OF_FACT)
            effects.append(found.effects.assign(instrument=instrument))
            importance.append(found.importance.assign(instrument=instrument))
        return pd.concat(effects, ignore_index=True), pd.concat(importance, ignore_index=True)

    def _judged_orders(self) -> Iterator[tuple[str, pd.DataFrame]]:
        for instrument in voice_facts.order_instruments(self._con):
            yield instrument, voice_facts.answers_about_orders(self._con, instrument, _MOST_ANSWERS)
        days = self._settings.repurchase_days
        yield voice_facts.REPURCHASE, voice_facts.followed_orders(self._con, self._as_of, days, _MOST_ANSWERS)

    def _examples(self, themes: pd.DataFrame, mentioned: pd.DataFrame) -> pd.Series:
        """Masked examples of each theme, a line each; null where the shop shows none."""
        if self._settings.count_examples == 0:
            return pd.Series([None] * len(themes), dtype="str")
        count = self._settings.count_examples
        strongest = mentioned.sort_values(["strength", "text_key"], ascending=[False, True], kind="stable")
        strongest = strongest.groupby("theme_key", sort=False).head(10 * count)
        batches = voice_facts.all_texts(self._con, self._since)
        own = pd.concat([batch[batch["text_key"].isin(strongest["text_key"])] for batch in batches])
        found = example_texts(strongest, own, self._window, count)
        return themes["theme_key"].map(found.groupby("theme_key")["example_text"].agg("\n".join)).astype("str")


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the two halves of their key as columns."""
    keys = rows["text_key"].astype("str")
    return rows.assign(
        stands_beside=keys.str.replace("/.*$", "", regex=True), text_key=keys.str.replace("^[^/]*/", "", regex=True)
    )


def _unkeyed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(text_key=rows["stands_beside"] + "/" + rows["text_key"])
