"""The models layer: what customers are worth, who is leaving, and how well both were predicted before.

Each asset reads a purchase history that SQL has aggregated, calls `modelling`, writes a table, returns what it found.
"""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from dagster_project.assets.metadata import OWNERS, table_metadata
from dagster_project.modelling.backtest import backtest, holdout_days
from dagster_project.modelling.churn import ChurnSettings, customer_churn
from dagster_project.modelling.purchase_history import future_purchases, purchase_history
from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.value import ValueSettings, customer_value
from dagster_project.partitions import as_of_of, nightly
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse, replace_table

ORDER_FACTS = [dg.AssetKey(["marts", "fct_orders"]), dg.AssetKey(["marts", "fct_refunds"])]
CUSTOMER_CLV = {
    "customer_key": "varchar not null",
    "as_of_date": "date not null",
    "horizon_days": "integer not null",
    "status": "varchar not null",
    "status_reason": "varchar",
    "model": "varchar not null",
    "count_repeat_occasions": "bigint not null",
    "days_first_to_last_order": "bigint not null",
    "days_observed": "bigint not null",
    "probability_alive": "double",
    "predicted_orders": "double",
    "predicted_mean_order_net": "double",
    "predicted_net": "double",
    "predicted_clv": "double",
    "historic_net": "double",
    "historic_margin": "double",
}
CUSTOMER_CHURN = {
    "customer_key": "varchar not null",
    "as_of_date": "date not null",
    "horizon_days": "integer not null",
    "status": "varchar not null",
    "status_reason": "varchar",
    "model": "varchar not null",
    "is_active": "boolean not null",
    "days_since_last_order": "bigint not null",
    "probability_no_order": "double",
    "risk_band": "varchar",
}
MODEL_PARAMETERS = {
    "model": "varchar not null",
    "as_of_date": "date not null",
    "parameter": "varchar not null",
    "estimate": "double not null",
    "log_likelihood": "double not null",
    "time_unit": "varchar",
}
MODEL_SCORES = {
    "prediction": "varchar not null",
    "model": "varchar not null",
    "cutoff_date": "date not null",
    "horizon_days": "integer not null",
    "count_customers": "bigint not null",
    "score": "varchar not null",
    "score_value": "double",
    "status": "varchar not null",
    "status_reason": "varchar",
}


def value_settings(settings: Settings) -> ValueSettings:
    """What the shop's settings say about value."""
    chosen = settings.definitions
    return ValueSettings(
        horizon_days=chosen.value_horizon_days,
        annual_discount_rate=chosen.annual_discount_rate,
        margin_share=chosen.margin_share,
        purchase_model=chosen.purchase_model,
        gate=_gate(settings),
    )


def churn_settings(settings: Settings) -> ChurnSettings:
    """What the shop's settings say about churn."""
    chosen = settings.definitions
    return ChurnSettings(
        horizon_days=chosen.churn_horizon_days, purchase_model=chosen.purchase_model, gate=_gate(settings)
    )


def _gate(settings: Settings) -> ModelGate:
    return ModelGate(**settings.definitions.gate.model_dump())


def model_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The Python models of a night."""
    common: dict[str, Any] = {"group_name": "models", "owners": OWNERS, "kinds": {"python", "duckdb"}}
    night: dict[str, Any] = nightly(settings)
    return [_value_assets(common, night), _churn_asset(common | night), _scores_asset(common | night)]


def _value_assets(common: dict[str, Any], night: dict[str, Any]) -> dg.AssetsDefinition:
    value = dg.AssetSpec(
        ["models", "customer_clv"],
        deps=ORDER_FACTS,
        description=(
            "One row per customer: orders, net and discounted margin expected over the value horizon. `status` says "
            "whether a model was fitted or cohort averages stand in, and why."
        ),
        **common,
    )
    parameters = dg.AssetSpec(
        ["models", "model_parameters"],
        deps=ORDER_FACTS,
        description="One row per fitted parameter of the purchase and spend models; none where nothing was fitted.",
        **common,
    )

    @dg.multi_asset(name="customer_value", specs=[value, parameters], **night)
    def customer_clv(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            found = customer_value(_history(con, as_of, settings), as_of, value_settings(settings))
            replace_table(con, "models", "customer_clv", found.customers, CUSTOMER_CLV)
            replace_table(con, "models", "model_parameters", parameter_rows(found.fit), MODEL_PARAMETERS)
            yield dg.MaterializeResult(
                asset_key=value.key,
                metadata=table_metadata(
                    con,
                    "models.customer_clv",
                    seconds=time.perf_counter() - began,
                    status=found.status,
                    status_reason=found.status_reason or "",
                    fit=dg.MetadataValue.json(found.fit),
                ),
            )
            yield dg.MaterializeResult(
                asset_key=parameters.key, metadata=table_metadata(con, "models.model_parameters")
            )

    return customer_clv


def _churn_asset(described: dict[str, Any]) -> dg.AssetsDefinition:
    @dg.asset(
        key=["models", "customer_churn"],
        deps=ORDER_FACTS,
        description=(
            "One row per customer: the probability of no order within the churn horizon, exact under the purchase "
            "model. It is not one minus the probability of being alive."
        ),
        **described,
    )
    def churn(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        as_of, began, chosen = as_of_of(context), time.perf_counter(), churn_settings(settings)
        warehouse.require(as_of)
        with warehouse.connect() as con:
            earlier = _history(con, as_of - dt.timedelta(days=chosen.horizon_days), settings)
            found = customer_churn(_history(con, as_of, settings), as_of, chosen, earlier_history=earlier)
            replace_table(con, "models", "customer_churn", found.customers, CUSTOMER_CHURN)
            return dg.MaterializeResult(
                metadata=table_metadata(
                    con,
                    "models.customer_churn",
                    seconds=time.perf_counter() - began,
                    status=found.purchase_fit.status,
                    status_reason=found.purchase_fit.status_reason or "",
                )
            )

    return churn


def _scores_asset(described: dict[str, Any]) -> dg.AssetsDefinition:
    @dg.asset(
        key=["models", "model_scores"],
        deps=ORDER_FACTS,
        description=(
            "One row per prediction, model and score on the held-out end of the shop's own history, baselines beside "
            "the model. `status` says why a model has no score."
        ),
        **described,
    )
    def model_scores(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> dg.MaterializeResult[None]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            replace_table(con, "models", "model_scores", backtested(con, as_of, settings), MODEL_SCORES)
            return dg.MaterializeResult(
                metadata=table_metadata(con, "models.model_scores", seconds=time.perf_counter() - began)
            )

    return model_scores


def backtested(con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: Settings) -> pd.DataFrame:
    """Scores of value and of churn, each on the end of the history that its own horizon leaves for it."""
    [(first,)] = con.execute("select min(order_date) from marts.fct_orders where is_valid").fetchall()
    history_days = (as_of - first).days if first else 0
    chosen = settings.definitions
    parts: list[pd.DataFrame] = []
    for horizon, predictions in (
        (chosen.value_horizon_days, ("orders", "net")),
        (chosen.churn_horizon_days, ("no_order",)),
    ):
        days = holdout_days(horizon, history_days)
        if days == 0:
            continue
        cutoff = as_of - dt.timedelta(days=days)
        future = future_purchases(
            con, cutoff, as_of, counts_zero_value_orders=settings.definitions.counts_zero_value_orders
        )
        past = _history(con, cutoff, settings)
        parts.append(backtest(past, future, cutoff, days, settings=value_settings(settings), predictions=predictions))
    if not parts:
        return pd.DataFrame({column: pd.Series(dtype="object") for column in MODEL_SCORES})
    return pd.concat(parts, ignore_index=True)


def parameter_rows(fit: dict[str, Any]) -> pd.DataFrame:
    """The fitted parameters of a `ValueResult.fit`, one row each."""
    rows = [
        {
            "model": part["model"],
            "as_of_date": fit["as_of"],
            "parameter": name,
            "estimate": estimate,
            "log_likelihood": part["log_likelihood"],
            "time_unit": part.get("unit"),
        }
        for part in (fit["purchase"], fit["spend"])
        if part and part.get("params")
        for name, estimate in part["params"].items()
    ]
    return pd.DataFrame(rows, columns=list(MODEL_PARAMETERS))


def _history(con: duckdb.DuckDBPyConnection, as_of: dt.date, settings: Settings) -> pd.DataFrame:
    return purchase_history(con, as_of, counts_zero_value_orders=settings.definitions.counts_zero_value_orders)
