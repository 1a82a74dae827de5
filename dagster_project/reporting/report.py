"""The page for people: one HTML file on a published version that opens offline and holds no customer.

What belongs here: which sections, in which order, and writing the file. What does not: what they say (`sections/`), how
they look (`templates/`), and when the page is made (asset `report/loyalty_report`).
"""

from __future__ import annotations

from pathlib import Path

from dagster_project.durable_files import write_atomically
from dagster_project.reporting import formats, queries
from dagster_project.reporting.metrics import Metrics
from dagster_project.reporting.page import Section
from dagster_project.reporting.published import Published, open_published
from dagster_project.reporting.sections import (
    feedback,
    headline,
    ledger,
    next_purchase,
    retention,
    revenue,
    scores,
    trust,
    value,
    voice,
)

LATEST = "latest.html"
TEMPLATE = "report.html.j2"
SECTIONS = (
    headline.headline,
    revenue.revenue,
    retention.retention,
    retention.cohorts,
    feedback.promoter_score,
    feedback.satisfaction,
    voice.silence,
    voice.themes,
    voice.drivers,
    retention.segments,
    value.customer_value,
    value.churn,
    next_purchase.next_purchase,
    ledger.ledger,
    scores.model_scores,
    trust.exclusions,
    trust.reconciliation,
    trust.checks,
    trust.definitions,
)


def write_report(database: Path, folder: Path, version: str) -> Path:
    """Write the page of a version to `folder/<version>.html` and `folder/latest.html`; gives the first.

    The same version gives the same bytes. A reader of either file sees the old page or the new one, never half of it.

    Args:
        database: the version's DuckDB file, its `manifest.json` beside it; only read.
        folder: where pages are kept; made when absent.
        version: the version's name, as its manifest says it.

    Raises:
        ReportError: there is no such version, or it does not hold what the page reads.
    """
    page = render_report(database, version)
    path = folder / f"{version}.html"
    write_atomically(path, page)
    write_atomically(folder / LATEST, page)
    return path


def render_report(database: Path, version: str) -> str:
    """The page of a version, as HTML.

    Raises:
        ReportError: there is no such version, or it does not hold what the page reads.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    with open_published(database, version) as shop:
        sections = sections_of(shop)
        manifest, as_of, currency = shop.manifest, shop.as_of, shop.currency
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(day=formats.day, plural=formats.plural)
    template = environment.get_template(TEMPLATE)
    return template.render(manifest=manifest, as_of=as_of, currency=currency, sections=sections)


def sections_of(shop: Published) -> list[Section]:
    """All sections of the page, in order."""
    metrics = Metrics(shop.rows(queries.METRICS), shop.row(queries.BASES), shop.as_of, shop.currency)
    return [section(shop, metrics) for section in SECTIONS]
