"""The schedules: when a job runs by itself. What it runs is in `jobs`."""

from __future__ import annotations

from typing import Any

import dagster as dg

from dagster_project.settings import NIGHT_HOUR


def nightly_schedule(job: dg.UnresolvedAssetJobDefinition) -> Any:
    """Every night at three in the business time zone, for the business day that has just ended."""
    return dg.build_schedule_from_partitioned_job(
        job,
        name="nightly_schedule",
        hour_of_day=NIGHT_HOUR,
        description="The night of the business day that ended last.",
    )
