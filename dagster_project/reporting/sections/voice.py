"""What customers write about, what moves satisfaction, and the score of those who stay silent."""

from __future__ import annotations

from dagster_project.reporting import formats, model_queries
from dagster_project.reporting.metrics import Metrics
from dagster_project.reporting.page import Section, Table
from dagster_project.reporting.published import Published, Row

_VERDICTS = {"raises": "raises it", "lowers": "lowers it", "cannot_say": "cannot say"}


def silence(shop: Published, metrics: Metrics) -> Section:
    """Raw and weighed scores of each survey, and what they could be."""
    title, rows = "The score of those who did not answer", shop.rows(model_queries.NONRESPONSE)
    asked = [row for row in rows if row["count_invited"]]
    if not asked:
        return Section("silence", title, "No source sends invitations, so nobody knows who stayed silent.")
    weighed = [row for row in asked if row["status"] == "weighted"]
    lead = " ".join(_weighed(row) for row in weighed) or "No survey has answers enough to be weighed."
    table = Table(
        "Surveys, latest invitation of each customer",
        (
            "Survey",
            "# Asked",
            "# Answered",
            "# Raw",
            "# Weighed",
            "95 % interval",
            "If all silent were unhappy or happy",
        ),
        [_survey(row) for row in asked],
    )
    return Section("silence", title, lead, tables=[table], notes=[asked[0]["assumption"]])


def themes(shop: Published, metrics: Metrics) -> Section:
    """The themes that most texts mention."""
    title, rows = "What customers write about", shop.rows(model_queries.THEMES)
    if not rows:
        return Section("themes", title, "There are too few texts to find themes in.")
    fallen = [row for row in rows if row["trend"] != "cannot_say"]
    lead = f"{formats.plural(rows[0]['count_themes'], 'theme')} were found; the most mentioned are shown. "
    lead += f"Of these {formats.plural(len(fallen), 'theme')} rose or fell in the last quarter beyond chance."
    table = Table(
        "Most mentioned themes of the window",
        ("Theme", "Language", "Driver", "# Texts", "# Share", "Trend", "# Tone, -1 to 1", "# Effect on NPS, points"),
        [_theme(row) for row in rows],
    )
    note = (
        "Tone is that of whole texts, with good and bad ratings taken to be equally common. The effect is the score "
        "less what it would be without the answers that mention the theme; it is no cause."
    )
    return Section("themes", title, lead, tables=[table, *_examples(rows)], notes=[note])


def drivers(shop: Published, metrics: Metrics) -> Section:
    """Which facts known before an answer, or another order, move it."""
    title, rows = "What moves satisfaction and buying again", shop.rows(model_queries.SATISFACTION_DRIVERS)
    if not rows:
        return Section(
            "drivers", title, "There are too few answers about orders, and too few orders, to say what moves them."
        )
    told = [row for row in rows if row["verdict"] != "cannot_say"]
    lead = f"{len(told)} of {formats.plural(len(rows), 'fact')} can be said to move it, other facts equal."
    table = Table(
        "Facts known before, on a score of 0 to 100; of repurchase, on its chance in percent",
        ("What", "Driver", "Fact", "# Answers or orders", "# Effect of a standard deviation", "Verdict"),
        [_fact(row) for row in rows],
    )
    note = (
        "Intervals hold for all facts of an instrument at once, at 95 %. What happened to go together is no "
        "experiment: a driver is a candidate for a cause."
    )
    return Section("drivers", title, lead, tables=[table], notes=[note])


def _weighed(row: Row) -> str:
    return (
        f"{formats.words(row['survey']).capitalize()}: {formats.number(row['raw_score'], 1)} points from those who "
        f"answered, {formats.number(row['weighted_score'], 1)} ({_interval(row)}) weighed for the silent."
    )


def _interval(row: Row) -> str:
    if row["ci_low"] is None:
        return formats.number(None)
    return f"{formats.number(row['ci_low'], 1)} to {formats.number(row['ci_high'], 1)}"


def _survey(row: Row) -> tuple[str, ...]:
    low, high = row["score_if_silent_detractors"], row["score_if_silent_promoters"]
    weighed = formats.number(row["weighted_score"], 1) if row["status"] == "weighted" else str(row["status_reason"])
    return (
        formats.words(row["survey"]),
        formats.count(row["count_invited"]),
        formats.count(row["count_answers"]),
        formats.number(row["raw_score"], 1),
        weighed,
        _interval(row),
        f"{formats.number(low, 1)} to {formats.number(high, 1)}",
    )


def _theme(row: Row) -> tuple[str, ...]:
    return (
        row["theme_name"],
        row["language"],
        row["driver"] or formats.number(None),
        formats.count(row["count_texts"]),
        formats.share(row["texts_share"]),
        formats.words(row["trend"]),
        formats.number(row["mean_sentiment_score"], 2),
        formats.number(row["score_effect"], 2),
    )


def _fact(row: Row) -> tuple[str, ...]:
    return (
        formats.words(row["instrument"]),
        row["driver"],
        formats.words(row["fact"]),
        formats.count(row["count_answers"]),
        formats.number(row["effect_per_deviation"], 2),
        _VERDICTS[row["verdict"]],
    )


def _examples(rows: list[Row]) -> list[Table]:
    shown = [(row["theme_name"], text) for row in rows for text in (row["example_texts"] or "").splitlines()]
    return [Table("What was written, masked", ("Theme", "Text"), shown, True)] if shown else []
