"""Why tonight's headlines differ from those of the night before: two tables beside the other evidence in `quality`."""

import time
from collections.abc import Iterator

import dagster as dg

from dagster_project.assets.metadata import table_spec, table_written
from dagster_project.explaining.nights import write_metric_changes
from dagster_project.partitions import as_of_of, nightly
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse

CHANGE_TABLES = ("metric_changes", "metric_change_customers")
READ = {
    "marts": ("fct_orders", "fct_feedback", "fct_customers", "dim_customers", "loyalty_metrics"),
    "models": ("customer_clv",),
}


def metric_changes_assets(settings: Settings) -> dg.AssetsDefinition:
    """The comparison with the night before, as one step."""
    deps = [dg.AssetKey([schema, table]) for schema, tables in READ.items() for table in tables]
    specs = [table_spec("quality", name, deps, group_name="publish") for name in CHANGE_TABLES]

    @dg.multi_asset(name="metric_changes", specs=specs, **nightly(settings))
    def metric_changes(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            compared_with = write_metric_changes(con, settings, as_of)
            for spec in specs:
                seconds = time.perf_counter() - began
                yield table_written(con, spec.key, compared_with=compared_with, seconds=seconds)

    return metric_changes
