"""The revenue forecast as a step of the night: customers so far and those still to come.

Reads the marts and the totals of the value engine, calls `modelling.forecast`, writes the table.
"""

import datetime as dt
import time

import dagster as dg
import duckdb

from dagster_project.assets.metadata import OWNERS, table_written
from dagster_project.assets.models import ORDER_FACTS
from dagster_project.catalogue import own_table
from dagster_project.modelling.forecast import REVENUE_FORECAST, revenue_forecast
from dagster_project.modelling.newcomers import Newcomers
from dagster_project.modelling.scope import Scope
from dagster_project.modelling.value_settings import REPORTED_DAYS
from dagster_project.partitions import as_of_of, nightly
from dagster_project.replaced_tables import replace_table
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse

FORECAST_KEY = dg.AssetKey(["models", "revenue_forecast"])
"""Rests on totals that are checked before, so its own checks run with those of what is built after the models."""


def revenue_forecast_asset(settings: Settings) -> dg.AssetsDefinition:
    """What the shop is expected to take in."""

    @dg.asset(
        key=FORECAST_KEY,
        deps=[*ORDER_FACTS, dg.AssetKey(["models", "value_totals"])],
        **nightly(settings),
        group_name="models",
        owners=OWNERS,
        kinds={"python", "duckdb"},
        description=own_table(*FORECAST_KEY.path)["description"],
    )
    def forecast(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            write_forecast(con, as_of, settings)
            return table_written(con, FORECAST_KEY, seconds=time.perf_counter() - began)

    return forecast


def write_forecast(con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: Settings) -> None:
    """Write the table of a night."""
    chosen = settings.definitions
    longest = max(*REPORTED_DAYS, chosen.value_horizon_days)
    newcomers = Newcomers.of(con, as_of, longest, Scope(chosen.counts_zero_value_orders))
    totals = con.execute("select * from models.value_totals").df()
    replace_table(con, "models", "revenue_forecast", revenue_forecast(totals, newcomers, as_of), REVENUE_FORECAST)
