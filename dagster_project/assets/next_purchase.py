"""When customers order next and of what kind, as a step of the night.

Reads the marts, calls `modelling.next_purchase`, writes tables.
"""

import datetime as dt
import time
from collections.abc import Iterator

import dagster as dg
import duckdb
import pandas as pd

from dagster_project.assets.metadata import table_spec, table_written
from dagster_project.assets.models import VALUE_FACTS
from dagster_project.modelling.next_purchase import NEXT_PURCHASE_SCORES, next_kinds, next_order
from dagster_project.modelling.next_purchase.next_order_trial import backtest_next_orders
from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.partitions import as_of_of, nightly
from dagster_project.replaced_tables import replace_table, replace_table_in_batches
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse

NEXT_PURCHASE_TABLES = ("customer_next_order", "customer_next_kinds", "next_purchase_scores")


def next_purchase_assets(settings: Settings) -> dg.AssetsDefinition:
    """The next purchase, as one step."""
    specs = [table_spec("models", name, VALUE_FACTS) for name in NEXT_PURCHASE_TABLES]

    @dg.multi_asset(name="next_purchase", specs=specs, **nightly(settings))
    def next_purchase(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            write_next_purchases(con, as_of, settings)
            for spec in specs:
                yield table_written(con, spec.key, seconds=time.perf_counter() - began)

    return next_purchase


def write_next_purchases(con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: Settings) -> None:
    """Write the tables of a night."""
    order_scores = _write_orders(con, as_of, settings)
    cutoff = as_of - dt.timedelta(days=next_kinds.HORIZON_DAYS)
    kinds = next_kinds.backtest_next_kinds(con, cutoff)
    rows = next_kinds.next_kinds(con, as_of, kinds.champion).to_arrow_table()
    replace_table(con, "models", "customer_next_kinds", rows, next_kinds.CUSTOMER_NEXT_KINDS)
    kind_scores = kinds.scores.assign(
        prediction="next_kind",
        is_champion=kinds.scores["model"] == kinds.champion,
        cutoff_date=pd.Timestamp(cutoff),
        horizon_days=next_kinds.HORIZON_DAYS,
        segment="customers who ordered again",
    )
    scores = pd.concat([order_scores, kind_scores], ignore_index=True).assign(as_of_date=pd.Timestamp(as_of))
    replace_table(con, "models", "next_purchase_scores", scores, NEXT_PURCHASE_SCORES)


def _write_orders(con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: Settings) -> pd.DataFrame:
    chosen, cutoff = settings.definitions, as_of - dt.timedelta(days=next_order.HORIZON_DAYS)
    is_counted, gate = chosen.counts_zero_value_orders, ModelGate(**chosen.gate.model_dump())
    believed, earlier = (
        next_order.fit_next_orders(con, day, gate, chosen.purchase_model, counts_zero_value_orders=is_counted)
        for day in (as_of, cutoff)
    )
    scores, champion = backtest_next_orders(
        con, earlier, settings.learning.maximum_customers, counts_zero_value_orders=is_counted
    )
    with con.cursor() as cursor:
        rows = next_order.next_orders(cursor, believed.dated_by(champion), counts_zero_value_orders=is_counted)
        replace_table_in_batches(con, "models", "customer_next_order", rows, next_order.CUSTOMER_NEXT_ORDER)
    return scores.assign(
        prediction="next_order",
        is_champion=scores["model"] == champion,
        cutoff_date=pd.Timestamp(cutoff),
        horizon_days=next_order.HORIZON_DAYS,
        segment="customers who had come back before and ordered again",
    )
