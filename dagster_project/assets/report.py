"""The report layer: words and pictures for people, made from the published version and from nothing else."""

import time

import dagster as dg

from dagster_project.assets.metadata import OWNERS
from dagster_project.assets.publish import VERSION_KEY
from dagster_project.partitions import nightly
from dagster_project.publishing.versions import current_database, current_version
from dagster_project.settings import Settings


def report_asset(settings: Settings) -> dg.AssetsDefinition:
    """The night's page."""

    @dg.asset(
        key=["report", "loyalty_report"],
        deps=[VERSION_KEY],
        **nightly(settings),
        group_name="report",
        owners=OWNERS,
        kinds={"html"},
        description="One self-contained page on the published version: it opens offline and holds no personal data.",
    )
    def loyalty_report(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult[None]:
        from dagster_project.reporting.report import write_report

        began, published = time.perf_counter(), settings.home / "published"
        path = write_report(current_database(published), settings.home / "reports", str(current_version(published)))
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(path),
                "bytes": path.stat().st_size,
                "seconds": time.perf_counter() - began,
            }
        )

    return loyalty_report
