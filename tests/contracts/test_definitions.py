"""The code location: it loads from settings alone, its keys and jobs are exactly these, its lineage is one graph."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from dagster_project.definitions import build_definitions
from dagster_project.settings import PROJECT_ROOT, load_settings

LAYERS = {"sources", "raw", "staging", "intermediate", "marts", "models", "publish", "report"}
SCHEMAS = LAYERS | {"quality"}
PUBLISHED_MARTS = {
    "dim_customers", "dim_products", "fct_orders", "fct_order_lines", "fct_refunds", "fct_feedback", "fct_customers",
    "fct_customer_months", "loyalty_metrics", "cohort_retention", "rfm_segments", "order_exclusions", "customer_360",
    "lifecycle_states", "lifecycle_transitions", "spec_claims", "fct_points_ledger", "fct_tier_changes",
    "fct_referrals", "dim_campaigns", "fct_campaign_messages", "fct_subscriptions", "fct_visits", "fct_costs",
    "dim_dates",
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

    seeds = {"exclusion_reasons", "metric_definitions", "rfm_segment_map", "segment_types", "lifecycle_state_map",
             "spec_claims_made"}  # fmt: skip
    assert tables("marts") == PUBLISHED_MARTS | seeds
    assert tables("models") == {"customer_clv", "value_totals", "customer_churn", "model_scores", "model_parameters"}
    assert tables("quality") == {"quarantined_rows", "reconciliation", "metric_changes", "metric_change_customers"}
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
    reached, waiting = set(), [report]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += [dep.asset_key for dep in graph[key].deps]
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
    from expectations.suite import load_suites

    assert {suite.table for suite in load_suites("marts")} == PUBLISHED_MARTS
    assert {suite.table for suite in load_suites("models")} == {
        "customer_clv", "value_totals", "customer_churn", "model_scores", "model_parameters",
    }  # fmt: skip


def test_every_raw_table_of_every_example_has_a_suite() -> None:
    from expectations.suite import load_suites

    described = {
        f"{name}__{table}"
        for example in ("demo", "olist", "online_retail", "cdnow")
        for name, source in load_settings(PROJECT_ROOT / "examples" / f"{example}.yaml").sources.items()
        for table in source.tables
    }
    assert {suite.table for suite in load_suites("raw")} == described


def test_importing_the_command_line_costs_no_framework() -> None:
    import subprocess
    import sys

    heavy = ("dagster", "dbt", "great_expectations", "pandas")
    code = f"import sys, dagster_project.cli; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
