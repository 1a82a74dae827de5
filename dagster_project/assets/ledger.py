"""The prediction ledger as a step of the night: what was predicted on past month ends, and what became of it.

Reads the marts, calls `modelling.ledger`, writes tables. Evenings that were predicted before are kept under
`LOYALTY_HOME/ledger`; without that folder the tables are the same and the night is longer.
"""

import time
from collections.abc import Iterator

import dagster as dg
import duckdb

from dagster_project.assets.metadata import table_spec, table_written
from dagster_project.assets.models import ORDER_FACTS
from dagster_project.modelling.ledger.by_loyalty import LOYAL_FORECAST_ERRORS
from dagster_project.modelling.ledger.drift import MODEL_DRIFT
from dagster_project.modelling.ledger.evenings import LedgerSettings
from dagster_project.modelling.ledger.followed import PREDICTION_LEDGER
from dagster_project.modelling.ledger.kept import Kept
from dagster_project.modelling.ledger.night import LedgerNight, ledger_night
from dagster_project.modelling.ledger.scores import LEDGER_SCORES
from dagster_project.modelling.loyal import LoyalRule
from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.value_night import Reading
from dagster_project.partitions import as_of_of, nightly
from dagster_project.publishing.fingerprint import code_fingerprint
from dagster_project.replaced_tables import replace_table, replace_table_in_batches
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse

LEDGER_TABLES = ("prediction_ledger", "ledger_scores", "model_drift", "loyal_forecast_errors")


def ledger_settings(settings: Settings) -> LedgerSettings:
    """What the shop's settings say about the ledger."""
    chosen = settings.definitions
    return LedgerSettings(
        count_evenings=settings.ledger.count_evenings,
        churn_horizon_days=chosen.churn_horizon_days,
        purchase_model=chosen.purchase_model,
        gate=ModelGate(**chosen.gate.model_dump()),
        maximum_customers=settings.ledger.maximum_customers,
        followed_customers=settings.ledger.followed_customers,
        loyal=LoyalRule(chosen.active_window_days, chosen.loyal_minimum_occasions, chosen.loyal_gap_multiple),
    )


def ledger_assets(settings: Settings) -> dg.AssetsDefinition:
    """The ledger and its scores, as one step."""
    specs = [table_spec("models", name, ORDER_FACTS) for name in LEDGER_TABLES]

    @dg.multi_asset(name="prediction_record", specs=specs, **nightly(settings))
    def prediction_record(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult[None]]:
        as_of, began = as_of_of(context), time.perf_counter()
        warehouse.require(as_of)
        with warehouse.connect() as con:
            reading = Reading(con, as_of, settings.definitions.counts_zero_value_orders)
            kept = Kept(settings.home / "ledger")
            night = recorded(con, ledger_night(reading, ledger_settings(settings), kept, code_fingerprint()))
            for spec in specs:
                yield table_written(
                    con,
                    spec.key,
                    seconds=time.perf_counter() - began,
                    evenings=len(night.evenings),
                    evenings_predicted_anew=night.count_made,
                )

    return prediction_record


def recorded(con: duckdb.DuckDBPyConnection, night: LedgerNight) -> LedgerNight:
    """Write the tables of a night's ledger."""
    replace_table_in_batches(con, "models", "prediction_ledger", night.rows(), PREDICTION_LEDGER)
    replace_table(con, "models", "ledger_scores", night.scores, LEDGER_SCORES)
    replace_table(con, "models", "model_drift", night.drift, MODEL_DRIFT)
    replace_table(con, "models", "loyal_forecast_errors", night.by_loyalty, LOYAL_FORECAST_ERRORS)
    return night
