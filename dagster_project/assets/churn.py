"""The tables of who is leaving, when and why: their columns, and how a night writes them."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from dagster_project.modelling.churn import ChurnSettings
from dagster_project.modelling.leaving.ablation import ablation
from dagster_project.modelling.leaving.night import leaving_night, scored_customers
from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.value_night import Reading
from dagster_project.settings import Settings
from dagster_project.warehouse import replace_table, replace_tables_in_batches

CHURN_FACTS = [
    dg.AssetKey(["marts", table])
    for table in (
        "fct_campaign_messages",
        "fct_feedback",
        "fct_mentions",
        "fct_points_ledger",
        "fct_referrals",
        "fct_support_contacts",
        "fct_visits",
    )
]
CHURN_DESCRIPTIONS = {
    "customer_churn": (
        "One row per customer: the probability of no order within the churn horizon, by the champion of the back-test "
        "for active customers, exact under the purchase model for the others. It is not one minus the probability of "
        "being alive."
    ),
    "churn_reasons": (
        "One row per active customer and cause, at most three: what raises or lowers the chance of leaving most, "
        "against the mean active customer, and a sentence. None where no purchase model was fitted."
    ),
    "churn_ablation": (
        "One row per kind of feed: what it adds to orders in knowing who leaves, measured on past evenings, with its "
        "error. `nothing` is an answer."
    ),
}
CHURN_TABLES: Mapping[str, dict[str, str]] = {
    "customer_churn": {
        "customer_key": "varchar not null",
        "as_of_date": "date not null",
        "horizon_days": "integer not null",
        "status": "varchar not null",
        "status_reason": "varchar",
        "model": "varchar not null",
        "is_active": "boolean not null",
        "days_since_last_order": "bigint not null",
        "usual_gap_days": "double",
        "gap_multiple": "double",
        "probability_no_order": "double",
        "risk_band": "varchar",
    },
    "churn_reasons": {
        "customer_key": "varchar not null",
        "as_of_date": "date not null",
        "reason_rank": "integer not null",
        "cause": "varchar not null",
        "direction": "varchar not null",
        "contribution": "double not null",
        "sentence": "varchar not null",
    },
}
CHURN_ABLATION = {
    "as_of_date": "date not null",
    "feature_group": "varchar not null",
    "horizon_days": "integer not null",
    "count_evenings": "bigint not null",
    "count_customers": "bigint not null",
    "log_loss_without": "double",
    "log_loss_with": "double",
    "log_loss_gain": "double",
    "standard_error": "double",
    "ci_low": "double",
    "ci_high": "double",
    "verdict": "varchar not null",
}


def churn_settings(settings: Settings, gate: ModelGate) -> ChurnSettings:
    """What the shop's settings say about churn."""
    chosen = settings.definitions
    return ChurnSettings(
        horizon_days=chosen.churn_horizon_days,
        purchase_model=chosen.purchase_model,
        gate=gate,
        is_chosen_by_backtest=chosen.is_model_chosen_by_backtest,
        gap_prior_weight=chosen.gap_prior_weight,
        language=settings.business.language,
        maximum_customers=settings.learning.maximum_customers,
        learning_threads=settings.learning.threads,
    )


def churned(
    con: duckdb.DuckDBPyConnection, as_of: dt.date, chosen: ChurnSettings, settings: Settings
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Write the tables of a night's churn; what was believed and why, JSON-able, and the scores for `model_scores`."""
    with con.cursor() as cursor:  # left to the garbage collector, it would keep the build open past its publishing
        reading = Reading(cursor, as_of, settings.definitions.counts_zero_value_orders)
        night = leaving_night(reading, chosen)
        batches = (
            {"customer_churn": rows, "churn_reasons": reasons} for rows, reasons in scored_customers(reading, night)
        )
        replace_tables_in_batches(con, "models", batches, CHURN_TABLES)
    added = ablation(night.record).assign(as_of_date=as_of)
    replace_table(con, "models", "churn_ablation", added, CHURN_ABLATION)
    return night.model.to_dict(), night.scores
