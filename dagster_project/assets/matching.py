"""Suggested merges as a step of the night: two tables beside the other evidence in `quality`."""

import time
from collections.abc import Iterator

import dagster as dg

from dagster_project.assets.metadata import table_spec, table_written
from dagster_project.matching.model import require_splink
from dagster_project.matching.suggestions import MATCHING_TABLES, write_suggested_merges
from dagster_project.partitions import as_of_of, nightly
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse

READ = {
    "intermediate": ("int_identity_records", "int_customer_identities"),
    "marts": ("dim_customers", "fct_customers"),
}


def suggested_merges_assets(settings: Settings) -> dg.AssetsDefinition:
    """The pairs of customers who may be one person, and the model behind them, as one step.

    Raises:
        MatchingError: merges are to be suggested, and the extra for it is not installed.
    """
    if settings.definitions.identity.suggests_merges:
        require_splink()
    deps = [dg.AssetKey([schema, table]) for schema, tables in READ.items() for table in tables]
    specs = [table_spec("quality", name, deps, group_name="publish") for name in MATCHING_TABLES]

    @dg.multi_asset(name="suggested_merges", specs=specs, **nightly(settings))
    def suggested_merges(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            outcome = write_suggested_merges(con, settings)
            for spec in specs:
                seconds = time.perf_counter() - began
                yield table_written(
                    con, spec.key, status=outcome.status, status_reason=outcome.reason or "", seconds=seconds
                )

    return suggested_merges
