"""The code location: it loads from settings alone, its keys and jobs are exactly these, its lineage is one graph."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.entity_suites import suites_of_staged
from dagster_project.settings import PROJECT_ROOT, load_settings
from dagster_project.shop_project import ENTITIES
from expectations.suite import load_suites

LAYERS = {"sources", "raw", "staging", "intermediate", "marts", "models", "publish", "report"}
EXAMPLES = ("demo", "olist", "online_retail", "cdnow")
SCHEMAS = LAYERS | {"quality"}
PUBLISHED_MARTS = {
    "dim_customers", "dim_products", "fct_orders", "fct_order_lines", "fct_refunds", "fct_feedback", "fct_customers",
    "fct_customer_months", "loyalty_metrics", "cohort_retention", "rfm_segments", "order_exclusions", "customer_360",
    "lifecycle_states", "lifecycle_transitions", "spec_claims", "fct_survey_invitations", "fct_support_contacts",
    "fct_mentions", "survey_wave_changes", "feedback_follow_up", "feedback_behaviour", "bad_contact_behaviour",
    "programme_effect", "loyalty_scores", "order_waterfalls",
    "fct_points_ledger", "fct_tier_changes", "fct_badges", "fct_referrals", "dim_campaigns",
    "fct_campaign_messages", "fct_subscriptions", "fct_visits", "fct_costs", "dim_dates",
    "customer_merges", "identity_sensitivity", "coupon_use",
}  # fmt: skip
SEEDS = {path.stem for path in (PROJECT_ROOT / "dbt_models" / "seeds").glob("*.csv")}
JUDGED_WHERE_THEY_END = {
    "int_adoption_bases": "intermediate.int_metric_bases",
    "int_answer_bases": "intermediate.int_metric_bases",
    "int_base_reasons": "marts.loyalty_metrics",
    "int_compared_events": "intermediate.int_matched_effects",
    "int_compared_states": "intermediate.int_matched_effects",
    "int_contact_bases": "intermediate.int_metric_bases",
    "int_cost_bases": "intermediate.int_metric_bases",
    "int_customer_bases": "intermediate.int_metric_bases",
    "int_customer_contacts": "marts.dim_customers",
    "int_customer_periods": "intermediate.int_metric_bases",
    "int_customer_segments": "marts.loyalty_metrics",
    "int_customers_resolved": "marts.dim_customers",
    "int_customers_united": "marts.dim_customers",
    "int_duration_quantiles": "marts.loyalty_metrics",
    "int_effects_told": "marts.loyalty_metrics",
    "int_feedback_bases": "intermediate.int_metric_bases",
    "int_feedback_united": "marts.fct_feedback",
    "int_feeds_present": "marts.loyalty_metrics",
    "int_identity_components": "intermediate.int_customer_identities",
    "int_identity_evidence": "intermediate.int_customer_identities",
    "int_identity_groups": "intermediate.int_customer_identities",
    "int_identity_links": "intermediate.int_customer_identities",
    "int_identity_records": "intermediate.int_customer_identities",
    "int_invitation_bases": "intermediate.int_metric_bases",
    "int_line_upgrades": "intermediate.int_metric_bases",
    "int_list_prices_united": "intermediate.int_price_rises",
    "int_matched_follow_ups": "intermediate.int_matched_effects",
    "int_matched_states": "intermediate.int_matched_effects",
    "int_mention_bases": "intermediate.int_metric_bases",
    "int_mentions_united": "marts.fct_mentions",
    "int_month_bases": "intermediate.int_metric_bases",
    "int_order_bases": "intermediate.int_metric_bases",
    "int_order_lines_united": "marts.fct_order_lines",
    "int_orders_segmented": "intermediate.int_metric_bases",
    "int_orders_united": "intermediate.int_orders_valued",
    "int_price_rise_bases": "intermediate.int_metric_bases",
    "int_price_rise_buyers": "intermediate.int_metric_bases",
    "int_price_rise_change": "marts.loyalty_metrics",
    "int_product_prices": "intermediate.int_price_rises",
    "int_refunds_united": "marts.fct_refunds",
    "int_relation_bases": "intermediate.int_metric_bases",
    "int_score_bases": "intermediate.int_metric_bases",
    "int_service_days": "intermediate.int_support_events_timed",
    "int_support_contacts_united": "marts.fct_support_contacts",
    "int_survey_invitations_united": "marts.fct_survey_invitations",
    "int_tenure_bases": "intermediate.int_metric_bases",
}
"""Intermediate tables that only hand their rows on, and the table whose suite judges them."""

MODELS = {
    "customer_clv", "value_totals", "customer_churn", "model_scores", "model_parameters", "churn_reasons",
    "churn_ablation", "subscription_hazards", "subscription_churn", "text_sentiment", "text_sentiment_scores",
    "text_themes", "feedback_themes", "feedback_theme_effects", "survey_nonresponse", "survey_weights",
    "satisfaction_drivers", "satisfaction_driver_importance", "prediction_ledger", "ledger_scores",
    "customer_next_order", "customer_next_kinds", "next_purchase_scores", "revenue_forecast", "model_drift",
    "loyal_forecast_errors",
}  # fmt: skip


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    settings = load_settings(PROJECT_ROOT / "examples" / "demo.yaml", home=tmp_path_factory.mktemp("home"))
    return build_definitions(settings)


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in definitions.resolve_all_asset_specs()}


def test_it_loads_for_every_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOYALTY_DATA", str(tmp_path / "absent"))
    for example in ("olist", "online_retail", "cdnow"):
        settings = load_settings(PROJECT_ROOT / "examples" / f"{example}.yaml", home=tmp_path / example)
        dg.Definitions.validate_loadable(build_definitions(settings))


def test_its_marts_and_models_are_exactly_these(graph: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    def tables(schema: str) -> set[str]:
        return {key.path[1] for key in graph if key.path[0] == schema}

    assert tables("marts") == PUBLISHED_MARTS | SEEDS
    assert tables("models") == MODELS
    assert tables("quality") == {
        "quarantined_rows", "reconciliation", "metric_changes", "metric_change_customers", "suggested_merges",
        "matching_parameters",
    }  # fmt: skip
    assert tables("publish") == {"published_version"}
    assert tables("report") == {"loyalty_report"}


def test_every_key_is_schema_and_table_and_every_group_a_layer(graph: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    assert {key.path[0] for key in graph} == SCHEMAS
    assert {len(key.path) for key in graph} == {2}
    assert {spec.group_name for spec in graph.values()} == LAYERS


def test_every_asset_says_what_it_is_and_who_owns_it(graph: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    silent = [key.to_user_string() for key, spec in graph.items() if not spec.description]
    ownerless = [key.to_user_string() for key, spec in graph.items() if not spec.owners]
    kindless = [key.to_user_string() for key, spec in graph.items() if not spec.kinds]
    assert (silent, ownerless, kindless) == ([], [], [])


def test_lineage_leads_from_every_file_to_the_report(graph: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    report = dg.AssetKey(["report", "loyalty_report"])
    reached = _all_that_feeds(graph, report) | {report}
    assert {key for key in graph if key.path[0] == "sources"} <= reached
    assert set(graph) == reached, "an asset that the report does not depend on is an orphan"


def test_the_nightly_job_selects_every_asset_and_every_check(
    definitions: dg.Definitions, graph: dict[dg.AssetKey, dg.AssetSpec]
) -> None:
    job = definitions.resolve_job_def("nightly_job")
    external = {key for key in graph if key.path[0] == "sources"}
    assert job.asset_layer.selected_asset_keys == set(graph) - external
    blocking = [key for key in job.asset_layer.asset_graph.asset_check_keys if key.name == "order_status_is_known"]
    assert blocking
    assert isinstance(job.partitions_def, dg.DailyPartitionsDefinition)
    assert job.partitions_def.timezone == "Europe/Berlin"


def test_the_schedule_runs_the_job_at_night_in_the_business_time_zone(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("nightly_schedule")
    assert schedule.job_name == "nightly_job"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "Europe/Berlin")


def test_its_sensor_is_off_where_no_channel_is_set(definitions: dg.Definitions) -> None:
    assert [sensor.name for sensor in definitions.sensors or ()] == ["alerts_sensor"]
    assert definitions.resolve_sensor_def("alerts_sensor").default_status == dg.DefaultSensorStatus.STOPPED


def test_every_table_that_is_published_has_a_suite() -> None:
    assert {suite.table for suite in load_suites("marts")} == PUBLISHED_MARTS | SEEDS
    assert {suite.table for suite in load_suites("models")} == MODELS


def test_the_page_of_tables_lists_every_table_that_is_published() -> None:
    page = (PROJECT_ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    listed = {name.rpartition(".")[2] for name in re.findall(r"`([a-z0-9_.]+)`", page)}
    published = PUBLISHED_MARTS | SEEDS | MODELS | {suite.table for suite in load_suites("quality")}
    assert sorted(published - listed) == []


def test_every_raw_table_of_every_example_has_a_suite() -> None:
    described = {
        f"{name}__{table}"
        for example in EXAMPLES
        for name, source in load_settings(PROJECT_ROOT / "examples" / f"{example}.yaml").sources.items()
        for table in source.tables
    }
    assert {suite.table for suite in load_suites("raw")} == described


def test_every_entity_has_a_suite_and_every_source_the_rules_that_it_has_columns_for() -> None:
    assert {suite.table for suite in load_suites("staging")} == set(ENTITIES)
    examples = [load_settings(PROJECT_ROOT / "examples" / f"{name}.yaml") for name in EXAMPLES]
    found = {
        suite.table: {rule.name for rule in suite.rules}
        for settings in examples
        for suite in suites_of_staged(load_suites("staging"), settings)
    }
    staging = PROJECT_ROOT / "dbt_models" / "models" / "staging"
    models = {path.stem for path in staging.rglob("stg_*.sql") if path.stem.partition("__")[2] in ENTITIES}
    assert found.keys() == models
    assert all(found.values())
    assert "charges_are_never_negative" in found["stg_demo__orders"]
    assert "charges_are_never_negative" not in found["stg_olist__orders"]


def test_every_intermediate_table_has_a_suite_or_is_judged_where_it_ends(
    graph: dict[dg.AssetKey, dg.AssetSpec],
) -> None:
    tables = {key.path[1] for key in graph if key.path[0] == "intermediate"}
    judged = {suite.table for suite in load_suites("intermediate")}
    assert judged | JUDGED_WHERE_THEY_END.keys() == tables
    assert judged & JUDGED_WHERE_THEY_END.keys() == set()
    suites = {f"{layer}.{suite.table}" for layer in ("intermediate", "marts") for suite in load_suites(layer)}
    for table, end in JUDGED_WHERE_THEY_END.items():
        assert end in suites
        assert dg.AssetKey(["intermediate", table]) in _all_that_feeds(graph, dg.AssetKey(end.split("."))), table


def _all_that_feeds(graph: dict[dg.AssetKey, dg.AssetSpec], key: dg.AssetKey) -> set[dg.AssetKey]:
    reached: set[dg.AssetKey] = set()
    waiting = [key]
    while waiting:
        for dep in graph[waiting.pop()].deps:
            if dep.asset_key not in reached:
                reached.add(dep.asset_key)
                waiting.append(dep.asset_key)
    return reached


def test_importing_the_command_line_costs_no_framework() -> None:
    import subprocess
    import sys

    heavy = ("dagster", "dbt", "great_expectations", "pandas")
    code = f"import sys, dagster_project.cli; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
