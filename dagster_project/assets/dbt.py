"""The staging, intermediate, marts and quality layers as assets: dbt's results turned into the UI's events.

Two stages, one dbt invocation each: what the raw layer feeds, and what also needs the Python models' outputs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from dagster_project.assets.metadata import OWNERS, table_metadata
from dagster_project.catalogue import describe_table
from dagster_project.checks import record_checks
from dagster_project.dbt_runner import DbtFailed, DbtRunner, NodeResult
from dagster_project.partitions import as_of_of, nightly
from dagster_project.settings import Settings
from dagster_project.warehouse import Warehouse
from expectations.suite import CheckResult

AFTER_MODELS = "tag:after_models"
TEST_CURE = (
    "Tests of dbt guard keys and contracts and cannot be waived: see by the rows of the tested model whether the "
    "source sent them so, correct it there or in the staging model, else the model itself, and `loyalty run`."
)


class LoyaltyTranslator(DagsterDbtTranslator):
    """Keys are `[schema, table]`; every dbt model has an owner; dbt's data tests are asset checks."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Schema and name, for models, seeds and sources alike."""
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The one team that owns the warehouse."""
        return OWNERS


def dbt_stage_assets(settings: Settings, dbt: DbtRunner) -> list[dg.AssetsDefinition]:
    """The two dbt stages of a night."""
    manifest = dbt.manifest()
    return [
        _stage("dbt_facts", f"fqn:* !{AFTER_MODELS}", manifest, settings, exclude=AFTER_MODELS),
        _stage("dbt_after_models", AFTER_MODELS, manifest, settings, select=AFTER_MODELS),
    ]


def _stage(
    name: str, selector: str, manifest: Mapping[str, Any], settings: Settings, **selection: str
) -> dg.AssetsDefinition:
    translator = LoyaltyTranslator(settings=DagsterDbtTranslatorSettings(enable_asset_checks=True))

    @dbt_assets(
        manifest=manifest,
        name=name,
        dagster_dbt_translator=translator,
        **nightly(settings),
        **selection,
    )
    def stage(
        context: dg.AssetExecutionContext, dbt: dg.ResourceParam[DbtRunner], warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[Any]:
        as_of = as_of_of(context)
        warehouse.require(as_of)
        results = dbt.build(selector, as_of, on_line=context.log.info)
        yield from _events(results, manifest, translator, warehouse)
        failed = [result for result in results if not result.has_passed and result.status != "skipped"]
        if failed:
            raise DbtFailed(_explained(failed, manifest))

    assets: dg.AssetsDefinition = stage
    return assets


def _events(
    results: list[NodeResult], manifest: Mapping[str, Any], translator: LoyaltyTranslator, warehouse: Warehouse
) -> Iterator[Any]:
    """Materialisations of what was built, then the checks that dbt's tests are; results are kept for the audit."""
    tests = [result for result in results if result.resource_type == "test"]
    with warehouse.connect() as con:
        for result in results:
            if result.resource_type == "test" or not result.has_passed:
                continue
            node = manifest["nodes"][result.unique_id]
            relation = f"{node['database']}.{node['schema']}.{node['alias']}"
            describe_table(con, node)
            yield dg.MaterializeResult(
                asset_key=translator.get_asset_key(node),
                metadata=table_metadata(con, relation, node["columns"], seconds=result.seconds),
            )
        record_checks(con, [_check(result, manifest) for result in tests if result.status != "skipped"])
    for result in tests:
        key = get_asset_check_key_for_test(manifest, translator, result.unique_id, project=None)
        if key is not None and result.status != "skipped":
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=result.has_passed,
                metadata={"failing_rows": result.failures, "seconds": result.seconds, "cure": TEST_CURE},
            )


def _check(result: NodeResult, manifest: Mapping[str, Any]) -> CheckResult:
    test = manifest["nodes"][result.unique_id]
    subject = manifest["nodes"].get(test.get("attached_node") or "", {})
    return CheckResult(
        layer=subject.get("schema", "marts"),
        table=subject.get("name", "several tables"),
        name=test["name"],
        engine="dbt",
        why=test.get("description") or f"dbt data test {test['name']}",
        severity="critical",
        is_passed=result.has_passed,
        failing_rows=result.failures,
        observed=result.message,
        cure=TEST_CURE,
    )


def _explained(failed: list[NodeResult], manifest: Mapping[str, Any]) -> str:
    first = failed[0]
    name = manifest["nodes"][first.unique_id]["name"]
    kind = "test" if first.resource_type == "test" else first.resource_type
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    cure = f". {TEST_CURE}" if kind == "test" else ""
    return f"dbt {kind} {name} failed{others}: {first.message}{cure}"
