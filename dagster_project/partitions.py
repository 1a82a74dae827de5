"""The partitions: one a business day, and the partition is the as-of; and what follows from it for every asset."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import dagster as dg

from dagster_project.settings import Settings

# a backfill policy is beta in Dagster; without one, dbt's assets would take many nights in one run
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)

WAREHOUSE_POOL = "warehouse"
PARTITION_TAG = "dagster/partition"


def nightly_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """A partition for each business day since the shop's first night; the last is the day that ended last."""
    return dg.DailyPartitionsDefinition(
        start_date=settings.business.first_night.isoformat(), timezone=settings.business.time_zone
    )


def nightly(settings: Settings) -> dict[str, Any]:
    """What every asset of a night has in common: its partitions, one run for each, and the pool of the work file."""
    return {
        "partitions_def": nightly_partitions(settings),
        "backfill_policy": dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        "pool": WAREHOUSE_POOL,
    }


def as_of_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> dt.date:
    """The business day whose end the running partition describes; a check has no partition but that of its run."""
    return dt.date.fromisoformat(context.run.tags[PARTITION_TAG])
