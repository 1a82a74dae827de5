"""The models layer: what customers are worth, who is leaving, and how well both were predicted before.

Each asset reads what SQL has aggregated, calls `modelling`, writes tables, returns what it found. Value and churn are
one step, as they share one table of scores; the tables of churn stand in `churn.py`.
"""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from dagster_project.assets.churn import (
    CHURN_FACTS,
    CHURN_TABLES,
    SUBSCRIPTION_TABLES,
    churn_settings,
    churned,
)
from dagster_project.assets.metadata import table_spec, table_written
from dagster_project.modelling.champion_errors import LEVELS
from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.shop_totals import ShopValue
from dagster_project.modelling.value_night import Reading, scored_customers, value_night
from dagster_project.modelling.value_settings import REPORTED_DAYS, ValueSettings
from dagster_project.partitions import as_of_of, nightly
from dagster_project.replaced_tables import replace_table, replace_table_in_batches
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse

ORDER_FACTS = [dg.AssetKey(["marts", "fct_orders"]), dg.AssetKey(["marts", "fct_refunds"])]
VALUE_FACTS = [*ORDER_FACTS, dg.AssetKey(["marts", "fct_order_lines"])]
CUSTOMER_CLV = {
    "customer_key": "varchar not null",
    "as_of_date": "date not null",
    "horizon_days": "integer not null",
    "status": "varchar not null",
    "status_reason": "varchar",
    "model": "varchar not null",
    "net_model": "varchar not null",
    "count_repeat_occasions": "bigint not null",
    "days_first_to_last_order": "bigint not null",
    "days_observed": "bigint not null",
    "probability_alive": "double",
    "predicted_orders": "double",
    "predicted_mean_order_net": "double",
    "predicted_net": "double",
    "predicted_clv": "double",
    "probability_no_order": "double",
    **{
        f"predicted_{measure}_{end}_{level * 100:.0f}": "double"
        for measure in ("orders", "net")
        for level in LEVELS
        for end in ("low", "high")
    },
    **{
        f"{measure}_{days}d": "double"
        for days in REPORTED_DAYS
        for measure in ("predicted_orders", "predicted_net", "predicted_clv", "probability_no_order")
    },
    "predicted_clv_residual": "double",
    "historic_net": "double",
    "historic_margin": "double",
    "acquisition_cost": "double",
    "days_to_payback": "double",
    "payback_reason": "varchar",
}
VALUE_TOTALS = {
    "as_of_date": "date not null",
    "measure": "varchar not null",
    "horizon_days": "integer not null",
    "count_customers": "bigint not null",
    "expected": "double not null",
    **{f"{end}_{level * 100:.0f}": "double" for level in LEVELS for end in ("low", "high")},
    "status": "varchar not null",
    "status_reason": "varchar",
    "model": "varchar not null",
}
MODEL_PARAMETERS = {
    "model": "varchar not null",
    "as_of_date": "date not null",
    "parameter": "varchar not null",
    "estimate": "double not null",
    "standard_error": "double",
    "log_likelihood": "double not null",
    "time_unit": "varchar",
    "estimate_30_days_before": "double",
    "drift_in_standard_errors": "double",
}
MODEL_SCORES = {
    "prediction": "varchar not null",
    "model": "varchar not null",
    "is_champion": "boolean not null",
    "cutoff_date": "date not null",
    "horizon_days": "integer not null",
    "segment_type": "varchar not null",
    "segment": "varchar not null",
    "count_customers": "bigint not null",
    "score": "varchar not null",
    "score_value": "double",
    "status": "varchar not null",
    "status_reason": "varchar",
}
PREDICTION_TABLES = (
    *CHURN_TABLES,
    "churn_ablation",
    *SUBSCRIPTION_TABLES,
    "customer_clv",
    "value_totals",
    "model_parameters",
    "model_scores",
)


def value_settings(settings: Settings) -> ValueSettings:
    """What the shop's settings say about value."""
    chosen = settings.definitions
    return ValueSettings(
        horizon_days=chosen.value_horizon_days,
        annual_discount_rate=chosen.annual_discount_rate,
        lifetime_days=chosen.lifetime_days,
        margin_share=chosen.margin_share,
        acquisition_cost=chosen.acquisition_cost,
        purchase_model=chosen.purchase_model,
        is_chosen_by_backtest=chosen.is_model_chosen_by_backtest,
        gate=model_gate(settings),
        maximum_customers=settings.learning.maximum_customers,
        learning_threads=settings.learning.threads,
    )


def model_gate(settings: Settings) -> ModelGate:
    """How much history the shop's settings ask for."""
    return ModelGate(**settings.definitions.gate.model_dump())


def model_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The Python models of a night."""
    return [_prediction_assets(nightly(settings))]


def _prediction_assets(night: dict[str, Any]) -> dg.AssetsDefinition:
    specs = [table_spec("models", name, [*VALUE_FACTS, *CHURN_FACTS]) for name in PREDICTION_TABLES]

    @dg.multi_asset(name="customer_predictions", specs=specs, **night)
    def customer_predictions(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            value, value_scores = valued(con, as_of, settings)
            seconds, began = time.perf_counter() - began, time.perf_counter()
            churn, churn_scores = churned(con, as_of, churn_settings(settings, model_gate(settings)), settings)
            scores = pd.concat([value_scores, churn_scores], ignore_index=True)
            replace_table(con, "models", "model_scores", scores, MODEL_SCORES)
            facts = {
                "customer_clv": _told(value, value, seconds),
                "customer_churn": _told(churn, churn["purchase_model"], time.perf_counter() - began),
            }
            for spec in specs:
                yield table_written(con, spec.key, **facts.get(spec.key.path[-1], {}))

    return customer_predictions


def _told(found: dict[str, Any], fit: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the UI shows of a model."""
    return {
        "seconds": seconds,
        "status": fit["status"],
        "status_reason": fit["status_reason"] or "",
        "fit": dg.MetadataValue.json(found),
    }


def valued(con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: Settings) -> tuple[dict[str, Any], pd.DataFrame]:
    """Write the tables of a night's value; what was believed and why, JSON-able, and the scores for `model_scores`."""
    with con.cursor() as cursor:  # left to the garbage collector, it would keep the build open past its publishing
        reading = Reading(cursor, as_of, settings.definitions.counts_zero_value_orders)
        night = value_night(reading, value_settings(settings))
        totals = ShopValue(night.model)
        scored = scored_customers(reading, night.model, totals)
        replace_table_in_batches(con, "models", "customer_clv", scored, CUSTOMER_CLV)
    replace_table(con, "models", "value_totals", totals.table(), VALUE_TOTALS)
    replace_table(con, "models", "model_parameters", night.parameters, MODEL_PARAMETERS)
    return night.model.to_dict(), night.scores
