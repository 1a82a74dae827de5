"""The partitions: one a business day, and the partition is the as-of. Nothing else belongs here."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from dagster_project.settings import Settings


def nightly_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """A partition for each business day since the shop's first night; the last is the day that ended last."""
    return dg.DailyPartitionsDefinition(
        start_date=settings.business.first_night.isoformat(), timezone=settings.business.time_zone
    )


def as_of_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> dt.date:
    """The business day whose end the running partition describes."""
    return dt.date.fromisoformat(context.partition_key)
