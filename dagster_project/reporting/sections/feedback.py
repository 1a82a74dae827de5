"""What customers say: Net Promoter Score and satisfaction, over time and by score."""

from __future__ import annotations

from collections.abc import Sequence

from dagster_project.reporting import charts, formats, queries
from dagster_project.reporting.metrics import Metrics, base, previous_month
from dagster_project.reporting.page import Figure, Section, Table
from dagster_project.reporting.published import Published, Row
from dagster_project.reporting.sections.rates import rate_figures


def promoter_score(shop: Published, metrics: Metrics) -> Section:
    """NPS per month, and the answers by score."""
    title = "Net Promoter Score (NPS)"
    overall = metrics.over("nps", "trailing_window") or metrics.over("nps", "lifetime")
    if overall is None:
        return Section(
            "nps", title, "No source sends NPS answers, so there is no NPS to show. That is not a score of zero."
        )
    figures = rate_figures(
        {"nps": metrics.series("nps", "month")},
        metrics,
        title="NPS per month",
        y_title="NPS, points from -100 to +100",
        y_format="+d",
        name="nps-line",
    )
    scores = shop.rows(queries.SCORE_SHARES)
    latest = [row for row in scores if row["period_type"] == overall["period_type"]]
    if latest and latest[0]["has_minimum_base"]:
        figures.append(_score_figure(latest))
    return Section("nps", title, _lead("NPS", "nps", overall, metrics), figures=figures, notes=(_WHO_ANSWERS,))


def satisfaction(shop: Published, metrics: Metrics) -> Section:
    """Shares of satisfied and dissatisfied customers per month, and the answers by score."""
    title = "Satisfaction (CSAT)"
    overall = metrics.over("csat_share", "trailing_window") or metrics.over("csat_share", "lifetime")
    if overall is None:
        return Section(
            "csat",
            title,
            "No source sends satisfaction ratings, so there is no CSAT to show. That is not a share of zero.",
        )
    lines = {"satisfied": metrics.series("csat_share", "month")}
    lines["dissatisfied"] = metrics.series("csat_dissatisfied_share", "month")
    figures = rate_figures(
        lines,
        metrics,
        title="Satisfied and dissatisfied, per month",
        y_title="Share of answers, %",
        y_format=".0%",
        name="csat-line",
    )
    scores = shop.rows(queries.SATISFACTION_SCORES)
    if sum(row["count_answers"] for row in scores) >= metrics.minimum_base():
        figures.append(_rating_figure(scores))
    lead = _lead("The share of satisfied customers", "csat_share", overall, metrics)
    dissatisfied = metrics.over("csat_dissatisfied_share", overall["period_type"])
    if dissatisfied and dissatisfied["has_minimum_base"]:
        lead += f" {metrics.amount(dissatisfied)} are dissatisfied ({metrics.interval(dissatisfied)})."
    return Section("csat", title, lead, figures=figures, notes=(_WHO_ANSWERS,))


_WHO_ANSWERS = (
    "One answer per customer and period counts, the latest. Who answers is not a random choice of customers, and the "
    "interval does not cover that."
)


def _lead(subject: str, metric: str, overall: Row, metrics: Metrics) -> str:
    """The trailing window first, then the last month against the one before."""
    over = "over the trailing window" if overall["period_type"] == "trailing_window" else "over the whole history"
    if not overall["has_minimum_base"]:
        return f"{subject} rests on {base(overall).removeprefix('n = ')} {over}: too few to show."
    text = f"{subject} is {metrics.amount(overall)} {over} ({metrics.interval(overall)}, {base(overall)})."
    period = metrics.last_month()
    last = metrics.at(metric, period)
    if last is None:
        return f"{text} Nobody answered in {period.name}."
    if not last["has_minimum_base"]:
        return f"{text} {period.name} has too few answers ({base(last)}) to stand alone."
    before = previous_month(period.start)
    earlier = [row for row in metrics.series(metric, "month") if row["period_start"] == before]
    text += f" In {period.name} it was {metrics.amount(last)}."
    return text + metrics.comparison(last, earlier[0] if earlier else None, formats.month(before))


def _score_figure(rows: Sequence[Row]) -> Figure:
    bars = [(str(row["score"]), row["metric_value"] or 0) for row in rows]
    over = "trailing window" if rows[0]["period_type"] == "trailing_window" else "whole history"
    svg = charts.bars(
        bars,
        "Score: 0-6 detractors, 7-8 passives, 9-10 promoters",
        "Share of answers, %",
        "nps-scores",
        "Share of answers with each score from 0 to 10",
        is_share=True,
    )
    body = [(str(row["score"]), formats.count(row["numerator"]), formats.share(row["metric_value"])) for row in rows]
    return Figure(
        f"Answers by score, {over}", svg, "", Table("Answers by score", ("Score", "# Answers", "# Share"), body, True)
    )


def _rating_figure(rows: Sequence[Row]) -> Figure:
    """Scores as given where all answers share a scale, else rescaled to 0-100."""
    total, is_one_scale = sum(row["count_answers"] for row in rows), rows[0]["count_scales"] == 1
    labels = [formats.number(row["score" if is_one_scale else "score_0_100"], 0) for row in rows]
    scale = f"Score, of {rows[0]['scale_max']}" if is_one_scale else "Score, rescaled to 0-100"
    shares = [row["count_answers"] / total for row in rows]
    svg = charts.bars(
        list(zip(labels, shares, strict=True)),
        scale,
        "Share of answers, %",
        "csat-scores",
        "Share of answers by score",
        is_share=True,
    )
    body = [
        (label, formats.count(row["count_answers"]), formats.share(part))
        for label, row, part in zip(labels, rows, shares, strict=True)
    ]
    table = Table("Latest answer of each customer by score", ("Score", "# Answers", "# Share"), body, True)
    return Figure("Latest answer of each customer, whole history", svg, "", table)
