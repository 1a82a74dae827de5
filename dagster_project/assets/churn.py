"""The tables of who is leaving, when and why: their columns, and how a night writes them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from dagster_project.modelling.churn import ChurnSettings
from dagster_project.modelling.leaving.ablation import ablation
from dagster_project.modelling.leaving.horizon import own_horizon_days
from dagster_project.modelling.leaving.night import leaving_night, scored_customers
from dagster_project.modelling.leaving.subscriptions import (
    hazard_table,
    running_subscriptions,
    subscription_hazards,
)
from dagster_project.modelling.purchase_model import ModelGate
from dagster_project.modelling.value_night import BATCH_CUSTOMERS, Reading
from dagster_project.replaced_tables import replace_table, replace_table_in_batches, replace_tables_in_batches
from dagster_project.settings import Settings

CHURN_FACTS = [
    dg.AssetKey(["marts", table])
    for table in (
        "fct_campaign_messages",
        "fct_feedback",
        "fct_mentions",
        "fct_points_ledger",
        "fct_referrals",
        "fct_subscriptions",
        "fct_support_contacts",
        "fct_visits",
    )
]
SUBSCRIPTION_TABLES: Mapping[str, dict[str, str]] = {
    "subscription_hazards": {
        "plan_name": "varchar not null",
        "as_of_date": "date not null",
        "count_renewals": "bigint not null",
        "count_due": "bigint not null",
        "count_left_by_will": "bigint not null",
        "count_payment_failed": "bigint not null",
        "count_running": "bigint not null",
        "hazard_by_will": "double",
        "hazard_payment_failed": "double",
        "survival_share": "double not null",
        "expected_hazard_by_will": "double",
        "status": "varchar not null",
        "status_reason": "varchar",
    },
    "subscription_churn": {
        "subscription_key": "varchar not null",
        "customer_key": "varchar",
        "as_of_date": "date not null",
        "horizon_days": "integer not null",
        "plan_name": "varchar not null",
        "hazards_of": "varchar not null",
        "subscription_status": "varchar not null",
        "count_renewals": "bigint not null",
        "count_renewals_due": "bigint not null",
        "probability_by_will": "double",
        "probability_payment_failed": "double",
    },
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
        language=settings.business.language,
        maximum_customers=settings.learning.maximum_customers,
        learning_threads=settings.learning.threads,
    )


def churned(
    con: duckdb.DuckDBPyConnection, as_of: dt.date, chosen: ChurnSettings, settings: Settings
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Write the tables of a night's churn; what was believed and why, JSON-able, and the scores for `model_scores`."""
    with con.cursor() as cursor:  # left to the garbage collector, it would keep the build open past its publishing
        counted = settings.definitions.counts_zero_value_orders
        if settings.definitions.is_churn_horizon_own_rhythm:
            days = own_horizon_days(cursor, as_of, chosen.horizon_days, counts_zero_value_orders=counted)
            chosen = replace(chosen, horizon_days=days)
        reading = Reading(cursor, as_of, counted)
        night = leaving_night(reading, chosen)
        batches = (
            {"customer_churn": rows, "churn_reasons": reasons} for rows, reasons in scored_customers(reading, night)
        )
        replace_tables_in_batches(con, "models", batches, CHURN_TABLES)
        hazards = subscription_hazards(cursor, as_of)
        running = running_subscriptions(cursor, as_of, chosen.horizon_days, hazards).to_arrow_reader(BATCH_CUSTOMERS)
        chances = (batch.to_pandas() for batch in running)
        replace_table_in_batches(
            con, "models", "subscription_churn", chances, SUBSCRIPTION_TABLES["subscription_churn"]
        )
    rows = hazard_table(hazards, as_of)
    replace_table(con, "models", "subscription_hazards", rows, SUBSCRIPTION_TABLES["subscription_hazards"])
    added = ablation(night.record).assign(as_of_date=as_of)
    replace_table(con, "models", "churn_ablation", added, CHURN_ABLATION)
    return night.model.to_dict(), night.scores
