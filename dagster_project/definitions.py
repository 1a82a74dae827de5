"""Assembles the code location of one shop: assets, checks, job, schedule, sensor, resources. Nothing else."""

from __future__ import annotations

from typing import Any

import dagster as dg

from dagster_project.assets.changes import CHANGE_TABLES, metric_changes_assets
from dagster_project.assets.dbt import dbt_stage_assets
from dagster_project.assets.forecast import FORECAST_KEY, revenue_forecast_asset
from dagster_project.assets.ledger import ledger_assets
from dagster_project.assets.matching import suggested_merges_assets
from dagster_project.assets.models import model_assets
from dagster_project.assets.next_purchase import next_purchase_assets
from dagster_project.assets.publish import published_version_asset
from dagster_project.assets.raw import raw_assets, source_file_assets
from dagster_project.assets.report import report_asset
from dagster_project.assets.voice import voice_assets
from dagster_project.checks import check_stages
from dagster_project.jobs import nightly_job
from dagster_project.matching.suggestions import MATCHING_TABLES
from dagster_project.resources import resources_of
from dagster_project.schedules import nightly_schedule
from dagster_project.sensors import alerts_sensor
from dagster_project.settings import Settings, load_settings


def build_definitions(settings: Settings | None = None, **overrides: Any) -> dg.Definitions:
    """The code location of one shop.

    Args:
        settings: the shop's settings; those of the environment unless given.
        overrides: arguments of `dg.Definitions` that win, such as `loggers`.
    """
    settings = settings or load_settings()
    resources = resources_of(settings)
    built: list[dg.AssetsDefinition] = [
        raw_assets(settings),
        *dbt_stage_assets(settings, resources["dbt"]),
        *model_assets(settings),
        ledger_assets(settings),
        next_purchase_assets(settings),
        revenue_forecast_asset(settings),
        voice_assets(settings),
        suggested_merges_assets(settings),
        metric_changes_assets(settings),
    ]
    later = {
        "after_models_checks": {
            *resources["dbt"].models_tagged("after_models"),
            *MATCHING_TABLES,
            FORECAST_KEY.path[-1],
        },
        "changes_checks": {*CHANGE_TABLES},
    }
    audited = [key for assets in built for key in assets.keys]
    job = nightly_job(settings)
    return dg.Definitions(
        **{
            "assets": [
                *source_file_assets(settings),
                *built,
                published_version_asset(settings, audited),
                report_asset(settings),
            ],
            "asset_checks": check_stages(settings, later),
            "jobs": [job],
            "schedules": [nightly_schedule(job)],
            "sensors": [alerts_sensor(settings)],
            "resources": resources,
            "executor": dg.in_process_executor,
            **overrides,
        }
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The code location of the environment's shop, built when Dagster loads it: an import alone touches no shop."""
    return build_definitions()
