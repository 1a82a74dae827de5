"""The resources that assets ask for, as the plain objects that do the work.

What belongs here: how a run gets hold of its warehouse. How the warehouse works is in `warehouse`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from dagster_project.dbt_runner import DbtRunner
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse


def warehouse_resource(settings: Settings) -> dg.ResourceDefinition:
    """The warehouse of this home, held by one run at a time from its first step to its last."""

    @dg.resource(description="The build of a night; one run holds it at a time.")
    @contextmanager
    def held_warehouse(_: dg.InitResourceContext) -> Iterator[Warehouse]:
        warehouse = Warehouse(settings)
        with warehouse.exclusive():
            yield warehouse

    return held_warehouse


def resources_of(settings: Settings) -> dict[str, Any]:
    """Resource key → resource, for one shop's settings."""
    return {
        "settings": settings,
        "warehouse": warehouse_resource(settings),
        "dbt": DbtRunner(settings),
    }
