"""The models of what customers say: tone, themes, who stays silent, and what moves satisfaction.

Each table is written from what `modelling.voice.voice_night` makes; no text leaves it but masked examples, where the
shop's settings show them.
"""

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from dagster_project.assets.metadata import table_spec, table_written
from dagster_project.modelling.voice.nonresponse import NonresponseSettings
from dagster_project.modelling.voice.sentiment import SentimentSettings
from dagster_project.modelling.voice.theme_drivers import DRIVER_WORDS
from dagster_project.modelling.voice.themes import ThemeSettings
from dagster_project.modelling.voice.voice_night import VoiceNight, VoiceSettings
from dagster_project.partitions import as_of_of, nightly
from dagster_project.replaced_tables import replace_table, replace_table_in_batches
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse

FACTS = [
    dg.AssetKey(["intermediate", "int_texts_united"]),
    *(
        dg.AssetKey(["marts", table])
        for table in ("fct_feedback", "fct_mentions", "fct_orders", "fct_support_contacts", "fct_survey_invitations")
    ),
]
_KEYS = {"stands_beside": "varchar not null", "text_key": "varchar not null"}
_LIMITS = {"ci_low": "double", "ci_high": "double"}
TABLES: dict[str, dict[str, str]] = {
    "text_sentiment": {
        **_KEYS,
        "written_date": "date",
        "language": "varchar not null",
        "probability_positive": "double",
        "sentiment_score": "double",
        "tone": "varchar",
        "status": "varchar not null",
        "status_reason": "varchar",
    },
    "text_sentiment_scores": {
        "language": "varchar not null",
        "model": "varchar not null",
        "score": "varchar not null",
        "count_texts": "bigint not null",
        "count_positive": "bigint not null",
        "score_value": "double",
        "standard_error": "double",
        **_LIMITS,
        "status": "varchar not null",
    },
    "text_themes": {**_KEYS, "theme_key": "varchar not null", "strength": "double not null"},
    "feedback_themes": {
        "theme_key": "varchar not null",
        "as_of_date": "date not null",
        "language": "varchar not null",
        "theme_name": "varchar not null",
        "driver": "varchar",
        "found_on": "date not null",
        "first_found_on": "date not null",
        "count_texts": "bigint not null",
        "texts_share": "double",
        "count_texts_recent": "bigint not null",
        "count_texts_before": "bigint not null",
        "share_change": "double",
        "share_change_low": "double",
        "share_change_high": "double",
        "trend": "varchar not null",
        "count_texts_read": "bigint not null",
        "mean_sentiment_score": "double",
        "negative_share": "double",
        "example_texts": "varchar",
    },
    "feedback_theme_effects": {
        "theme_key": "varchar not null",
        "instrument": "varchar not null",
        "count_answers": "bigint not null",
        "count_answers_with_theme": "bigint not null",
        "net_score": "double not null",
        "net_score_with_theme": "double not null",
        "score_effect": "double",
        **_LIMITS,
    },
    "survey_nonresponse": {
        "survey": "varchar not null",
        "instrument": "varchar not null",
        "count_invited": "bigint not null",
        "count_answers": "bigint not null",
        "response_rate": "double",
        "raw_score": "double",
        "weighted_score": "double",
        **_LIMITS,
        "weighted_score_by_facts": "double",
        "effective_answers": "double",
        "revenue_coverage_share": "double",
        "representativity": "double",
        "silence_log_odds": "double",
        "silence_log_odds_error": "double",
        "score_if_silent_detractors": "double",
        "score_if_silent_promoters": "double",
        "status": "varchar not null",
        "status_reason": "varchar",
        "assumption": "varchar not null",
    },
    "survey_weights": {
        "survey": "varchar not null",
        "invitation_key": "varchar not null",
        "probability_to_answer": "double not null",
        "weight": "double not null",
    },
    "satisfaction_drivers": {
        "instrument": "varchar not null",
        "driver": "varchar not null",
        "fact": "varchar not null",
        "count_answers": "bigint not null",
        "mean_fact": "double",
        "effect_per_unit": "double not null",
        **_LIMITS,
        "effect_per_deviation": "double not null",
        "verdict": "varchar not null",
        "status": "varchar not null",
    },
    "satisfaction_driver_importance": {
        "instrument": "varchar not null",
        "driver": "varchar not null",
        "importance_share": "double not null",
        **_LIMITS,
        "importance_rank": "bigint not null",
        "leads_share": "double not null",
        "r_squared": "double not null",
        "status": "varchar not null",
    },
}


def voice_settings(settings: Settings) -> VoiceSettings:
    """What the shop's settings say about the voice."""
    chosen = settings.voice
    return VoiceSettings(
        sentiment=SentimentSettings(
            minimum_rated_texts=chosen.minimum_rated_texts, maximum_rated_texts=chosen.maximum_rated_texts
        ),
        themes=ThemeSettings(count_themes=chosen.count_themes),
        nonresponse=NonresponseSettings(minimum_answers=chosen.minimum_answers),
        window_days=settings.definitions.active_window_days,
        repurchase_days=settings.definitions.repeat_window_days,
        driver_words=Path(chosen.driver_words) if chosen.driver_words else DRIVER_WORDS,
        count_examples=chosen.count_examples,
    )


def voice_assets(settings: Settings) -> dg.AssetsDefinition:
    """The tables of the voice, made in one step."""
    specs = [table_spec("models", name, FACTS) for name in TABLES]
    night: dict[str, Any] = nightly(settings)

    @dg.multi_asset(name="customer_voice", specs=specs, **night)
    def customer_voice(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            voiced(con, as_of, voice_settings(settings))
            seconds = time.perf_counter() - began
            for spec in specs:
                yield table_written(con, spec.key, seconds=seconds)

    return customer_voice


def voiced(con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: VoiceSettings) -> None:
    """Write the tables of a night's voice."""
    with con.cursor() as cursor:  # left to the garbage collector, it would keep the build open past its publishing
        night = VoiceNight(cursor, as_of, settings)
        for name, batches in (("text_sentiment", night.text_sentiment()), ("text_themes", night.text_themes())):
            replace_table_in_batches(con, "models", name, batches, TABLES[name])
        since = as_of - dt.timedelta(days=settings.window_days - 1)
        read = con.execute(
            "select stands_beside, text_key, written_date, language, sentiment_score, tone from models.text_sentiment"
            " where written_date >= $since order by all",
            {"since": since},
        ).df()
        mentioned = con.execute("from models.text_themes order by all").df()
        made = dict(
            zip(("feedback_themes", "feedback_theme_effects"), night.theme_tables(read, mentioned), strict=True)
        )
        made |= dict(zip(("survey_nonresponse", "survey_weights"), night.nonresponse(), strict=True))
        made |= dict(zip(("satisfaction_drivers", "satisfaction_driver_importance"), night.drivers(), strict=True))
    made["text_sentiment_scores"] = night.sentiment_scores
    for name, rows in made.items():
        replace_table(con, "models", name, rows, TABLES[name])
