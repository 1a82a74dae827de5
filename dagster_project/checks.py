"""The asset checks: the expectation suites of a layer, evaluated after it and before anything is built on it.

What belongs here: which suites run when, how a result is shown, kept and made to block. The rules themselves are YAML
in `expectations/suites/`, their evaluation is in `expectations/runner.py`.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa

from dagster_project.catalogue import describe_table, own_table
from dagster_project.entity_suites import suites_of_staged, suites_of_standard
from dagster_project.feed_rules import column_rules, quarantine_rules, with_rhythms
from dagster_project.keyed_hashes import set_keys
from dagster_project.partitions import WAREHOUSE_POOL, as_of_of
from dagster_project.settings import Settings
from dagster_project.waivers import require_known_rules, with_waivers
from dagster_project.warehouse import Warehouse
from expectations.cures import cure_of
from expectations.suite import SUITES, CheckResult, Suite, load_suites

CHECKED_LAYERS = ("raw", "staging", "intermediate", "marts", "models", "quality")
CHECK_RESULTS = """
    create table if not exists quality.check_results (
        layer varchar not null, table_name varchar not null, check_name varchar not null, engine varchar not null,
        severity varchar not null, is_passed boolean not null, failing_rows bigint not null,
        observed varchar, why varchar, waiver varchar, sample_keys varchar, cure varchar
    )
"""
RESULT = pa.schema(
    [
        (field.name, {"is_passed": pa.bool_(), "failing_rows": pa.int64()}.get(field.name, pa.string()))
        for field in fields(CheckResult)
    ]
)
RENAMED = '* rename ("table" as table_name, name as check_name, sample as sample_keys)'
OF_THE_SAME_CHECKS = """
    using found_checks as found
    where
        check_results.layer = found.layer
        and check_results.table_name = found."table"
        and check_results.check_name = found.name
        and check_results.engine = found.engine
"""


class CheckFailed(RuntimeError):
    """A critical rule failed; the message says which, on what, and why it matters."""


def suites_of(layer: str, settings: Settings) -> list[Suite]:
    """The suites of a layer that apply to a shop: of raw and staging tables, those of its own sources."""
    if layer == "quality":
        return [_with_rules_of_feeds(suite, settings) for suite in load_suites(layer)]
    if layer == "staging":
        return with_rhythms(suites_of_staged(load_suites(layer), settings), settings)
    if layer != "raw":
        return load_suites(layer)
    feeds = {
        f"{source}__{table}": chosen
        for source, described in settings.sources.items()
        for table, chosen in described.tables.items()
    }
    raw = [*load_suites(layer, feeds, suite_folders(settings)), *suites_of_standard(settings)]
    raw = [replace(suite, rules=(*suite.rules, *column_rules(feeds[suite.table]))) for suite in raw]
    return [_lenient(suite) if feeds[suite.table].is_optional else suite for suite in raw]


def suite_folders(settings: Settings) -> list[Path]:
    """Where suites lie: the project's, and the shop's own where it has some."""
    return [SUITES, *([settings.shop_folder / "suites"] if settings.shop_folder else [])]


def _with_rules_of_feeds(suite: Suite, settings: Settings) -> Suite:
    """The suite of the quarantine also says how much of each feed may be refused."""
    if suite.table != "quarantined_rows":
        return suite
    return replace(suite, rules=(*suite.rules, *quarantine_rules(settings)))


def _lenient(suite: Suite) -> Suite:
    """A table that may be absent may be empty: its missing rows are told and stop nothing."""
    rules = [
        replace(rule, severity="warning") if rule.expect == "table_row_count_to_be_between" else rule
        for rule in suite.rules
    ]
    return replace(suite, rules=tuple(rules))


def check_stages(settings: Settings, later: Mapping[str, Collection[str]]) -> list[dg.AssetChecksDefinition]:
    """The check steps of a night; each runs between the tables that it checks and what is built on them.

    Args:
        settings: the shop's settings.
        later: by check step, the tables outside layer models that are made after models and that it checks.

    Raises:
        SettingsError: a waiver names no rule of these suites.
    """
    suites = [suite for layer in CHECKED_LAYERS for suite in suites_of(layer, settings)]
    require_known_rules(settings, suites)
    stages: dict[str, list[Suite]] = {
        "raw_checks": [],
        "marts_checks": [],
        "models_checks": [],
        **{step: [] for step in later},
    }
    step_of = {table: step for step, tables in later.items() for table in tables}
    for suite in suites:
        early = "models_checks" if suite.layer == "models" else "raw_checks" if suite.layer == "raw" else "marts_checks"
        stages[step_of.get(suite.table, early)].append(suite)
    return [_check_stage(name, chosen) for name, chosen in stages.items() if chosen]


def _check_stage(name: str, suites: list[Suite]) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(
            name=rule.name,
            asset=dg.AssetKey([suite.layer, suite.table]),
            description=rule.why,
            blocking=rule.severity == "critical",
            metadata={"severity": rule.severity, "owner": rule.owner, "cure": cure_of(suite, rule)},
        )
        for suite in suites
        for rule in suite.rules
    ]

    @dg.multi_asset_check(
        name=name,
        specs=specs,
        pool=WAREHOUSE_POOL,
        description="Expectation suites, evaluated inside DuckDB by Great Expectations.",
    )
    def checks(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> Iterator[dg.AssetCheckResult]:
        from expectations.runner import run_suites

        as_of = as_of_of(context)
        warehouse.require(as_of)
        with warehouse.connect() as con:
            set_keys(con, warehouse.secret())
            found = run_suites(con, suites, warehouse.work / "gx", lambda suite: context.log.info(suite.name), as_of)
            results = with_waivers(found, settings, as_of)
            record_checks(con, results)
        for result in results:
            if result.waiver and not result.is_passed:
                context.log.warning(
                    f"{result.name} on {result.layer}.{result.table} failed and is waived {result.waiver}"
                )
        yield from (shown(result) for result in results)
        broken = [result for result in results if result.is_blocking]
        if broken:
            raise CheckFailed(explained(broken, _page_of_stopped(context, settings, warehouse, as_of, name)))

    return checks


def write_data_docs(settings: Settings, warehouse: Warehouse, about: str) -> Path:
    """Let `data_docs` of the home tell of all that this build has evaluated so far; gives its first page."""
    from expectations.runner import build_docs

    return build_docs(warehouse.work / "gx", settings.home / "data_docs", about)


def _page_of_stopped(
    context: dg.AssetCheckExecutionContext, settings: Settings, warehouse: Warehouse, as_of: dt.date, step: str
) -> Path | None:
    """The page of a night that ends here; None where it cannot be written, which hides no rule that failed."""
    try:
        return write_data_docs(settings, warehouse, f"The night of {as_of}, which {step} stopped")
    except Exception as fault:  # noqa: BLE001 - whatever the library or the disk says, the rule's failure is the news
        context.log.warning(f"the Data Docs of this night could not be written: {fault}")
        return None


def shown(result: CheckResult) -> dg.AssetCheckResult:
    """A result as the UI shows it."""
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([result.layer, result.table]),
        check_name=result.name,
        passed=result.is_passed,
        severity=dg.AssetCheckSeverity.WARN
        if result.severity == "warning" or result.waiver
        else dg.AssetCheckSeverity.ERROR,
        description=f"{result.why} Waived {result.waiver}." if result.waiver else result.why,
        metadata={
            "failing_rows": result.failing_rows,
            "observed": result.observed,
            "sample_keys": result.sample,
            "cure": result.cure,
        },
    )


def explained(broken: list[CheckResult], page: Path | None = None) -> str:
    """One line: the rule that most rows break, what was observed, why it matters, how many more, the cure, the page."""
    first, *rest = sorted(broken, key=lambda result: -result.failing_rows)
    others = f"; and {len(rest)} more: {', '.join(result.name for result in rest[:3])}" if rest else ""
    sample = f" ({first.sample})" if first.sample else ""
    why = f"{first.why.rstrip('.')}{others}."
    see = f" Every rule is in {page}." if page else ""
    return (
        f"check {first.name} failed on {first.layer}.{first.table}: {first.observed}{sample}. {why} {first.cure}{see}"
    )


def record_checks(con: duckdb.DuckDBPyConnection, results: Iterable[CheckResult]) -> None:
    """Keep results in `quality.check_results`, in place of earlier ones of the same checks in this build."""
    con.execute(CHECK_RESULTS)
    describe_table(con, own_table("quality", "check_results"))
    last = {(found.layer, found.table, found.name, found.engine): asdict(found) for found in results}
    con.register("found_checks", pa.Table.from_pylist(list(last.values()), schema=RESULT))
    try:
        con.execute("delete from quality.check_results " + OF_THE_SAME_CHECKS)
        con.execute(f"insert into quality.check_results by name select {RENAMED} from found_checks")
    finally:
        con.unregister("found_checks")
