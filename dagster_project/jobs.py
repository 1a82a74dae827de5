"""The jobs. What runs in one is decided by its selection; the steps themselves are assets and checks."""

from __future__ import annotations

import dagster as dg

from dagster_project.partitions import nightly_partitions
from dagster_project.settings import Settings

NIGHTLY = "nightly_job"


def nightly_job(settings: Settings) -> dg.UnresolvedAssetJobDefinition:
    """The whole night: raw files to published version and report, for one business date."""
    return dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all(),
        partitions_def=nightly_partitions(settings),
        description="From the sources' files to an audited, published version and its report, as of one business day.",
    )
