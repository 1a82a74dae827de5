"""Evaluates suites with Great Expectations inside DuckDB; `custom.py` alone imports the library, too.

The rules run as SQL over the build's own connection: nothing is pulled into pandas, no second connection is opened.
Over duckdb-engine the library closes its connection before it fetches, and then every rule fails with an exception
that it hides; the engine here keeps it open, and an exception is raised as a crash rather than read as a failure.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import duckdb
import duckdb_engine
import great_expectations as gx
import great_expectations.expectations as gxe
import sqlalchemy
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from sqlalchemy.pool import StaticPool

from dagster_project.warehouse import without_values
from expectations import custom
from expectations.broken_rows import broken_rows_sql
from expectations.cures import cure_of
from expectations.pages import make_offline
from expectations.samples import sample_keys
from expectations.suite import CheckCrashed, CheckResult, Rule, Suite

logging.getLogger("great_expectations").setLevel(logging.ERROR)

# counts only: no value of a row may reach a result, a page or a log
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
DOCS_SITE = "loyalty"


class OpenConnectionEngine(SqlAlchemyExecutionEngine):
    """The library's SQL engine, with its connection kept open until the fetch, and to the last rule."""

    _connection: Any

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """The one connection of this engine."""
        if self._connection is None:
            self._connection = self.engine.connect()
        yield self._connection


def run_suites(
    connection: duckdb.DuckDBPyConnection,
    suites: Iterable[Suite],
    project: Path,
    on_suite: Callable[[Suite], None] | None = None,
    as_of: dt.date | None = None,
) -> list[CheckResult]:
    """One result per rule, in the order of the suites.

    Args:
        connection: an open connection to the build; keys that hold ids are told where it can hash them
            (`keyed_hashes.set_keys`).
        suites: what to evaluate.
        project: the folder in which the library keeps what the Data Docs are built from.
        on_suite: called before each suite.
        as_of: the night, which rules over history look back from.

    Raises:
        CheckCrashed: a rule could not be evaluated.
    """
    context = _context(project)
    results: list[CheckResult] = []
    with _datasource(context, connection) as datasource:
        for suite in suites:
            if on_suite:
                on_suite(suite)
            results += [
                result if result.is_passed else replace(result, sample=_sample(connection, suite, result.name, as_of))
                for result in _run_suite(context, datasource, suite, as_of)
            ]
    return results


def _sample(connection: duckdb.DuckDBPyConnection, suite: Suite, name: str, as_of: dt.date | None) -> str | None:
    [rule] = [rule for rule in suite.rules if rule.name == name]
    own_query = getattr(_expectation(suite, rule, as_of), "unexpected_rows_query", None)
    if own_query:
        rule = replace(rule, expect=None, rows_that_break=own_query)
    return sample_keys(connection, suite, broken_rows_sql(suite.relation, rule.of_night(as_of)))


def build_docs(project: Path, site: Path, about: str) -> Path:
    """Write the Data Docs of what was evaluated under `project`, as a static site for offline reading.

    It takes the place of an earlier site when it is whole, and not before.

    Args:
        project: what `run_suites` kept there.
        site: the folder of the site.
        about: which night it tells of, and how far that came; on its first page.

    Returns:
        The first page.
    """
    fresh, left = (site.with_name(f".{site.name}.{state}") for state in ("fresh", "left"))
    for folder in (fresh, left):
        shutil.rmtree(folder, ignore_errors=True)
    _context(project, fresh).build_data_docs(site_names=[DOCS_SITE])
    page = make_offline(fresh, project / "results", about)
    if site.exists():
        site.rename(left)
    fresh.rename(site)
    shutil.rmtree(left, ignore_errors=True)
    return site / page.name


def _context(project: Path, site: Path | None = None) -> Any:
    """The library's project: its results on disk, so that steps in other processes find them, all else in memory."""

    def on_disk(store: str, folder: Path) -> dict[str, Any]:
        backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
        return {"class_name": store, "store_backend": backend}

    docs = on_disk("SiteBuilder", site or project / "docs") | {
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "show_how_to_buttons": False,
    }
    config = DataContextConfig(
        expectations_store_name="expectations",
        validation_results_store_name="results",
        stores={
            "expectations": on_disk("ExpectationsStore", project / "expectations"),
            "results": on_disk("ValidationResultsStore", project / "results"),
            "checkpoint_store": {"class_name": "CheckpointStore"},
            "validation_definition_store": {"class_name": "ValidationDefinitionStore"},
        },
        data_docs_sites={DOCS_SITE: docs},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


@contextmanager
def _datasource(context: Any, connection: duckdb.DuckDBPyConnection) -> Iterator[Any]:
    """A data source that evaluates over the given connection; nothing of it keeps the database open afterwards."""
    cursor = connection.cursor()
    engine = sqlalchemy.create_engine(
        "duckdb:///:memory:", creator=lambda: duckdb_engine.ConnectionWrapper(cursor), poolclass=StaticPool
    )
    execution = OpenConnectionEngine(engine=engine, create_temp_table=False)
    datasource = context.data_sources.add_or_update_sql(
        "warehouse", connection_string="duckdb:///:memory:", create_temp_table=False
    )
    object.__setattr__(datasource, "get_engine", lambda: engine)
    object.__setattr__(datasource, "get_execution_engine", lambda: execution)
    try:
        yield datasource
    finally:
        engine.dispose()
        cursor.close()


def _run_suite(context: Any, datasource: Any, suite: Suite, as_of: dt.date | None) -> list[CheckResult]:
    asset = datasource.add_query_asset(suite.name, query=f"select * from {suite.relation}")
    batch = asset.add_batch_definition_whole_table("night")
    expectations = [_expectation(suite, rule, as_of) for rule in suite.rules]
    registered = context.suites.add_or_update(gx.ExpectationSuite(name=suite.name, expectations=expectations))
    validation = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=registered)
    )
    try:
        outcome = validation.run(result_format=RESULT_FORMAT)
    except Exception as fault:
        raise CheckCrashed(f"suite {suite.name} could not be evaluated: {_first_line(fault)}") from fault
    found = {result.expectation_config.meta["name"]: result for result in outcome.results}
    return [_result(suite, rule, found.get(rule.name)) for rule in suite.rules]


def _expectation(suite: Suite, rule: Rule, as_of: dt.date | None) -> Any:
    meta = {
        "name": rule.name,
        "why": rule.why,
        "cure": cure_of(suite, rule),
        "severity": rule.severity,
        "owner": rule.owner,
    }
    own: dict[str, Any] = {"description": rule.name.replace("_", " "), "meta": meta}
    if rule.rows_that_break:
        return custom.ExpectNoRowsOf(unexpected_rows_query=_as_template(rule.rows_that_break), **own)
    kind = "Expect" + "".join(word.capitalize() for word in str(rule.expect).split("_"))
    try:
        if rule.expect in custom.OVER_HISTORY:
            return getattr(custom, kind)(**rule.arguments, as_of=f"{as_of}", **own)
        if hasattr(custom, kind):
            return getattr(custom, kind)(**rule.of_night(as_of).arguments, **own)
        return getattr(gxe, kind)(**rule.arguments, meta=meta)
    except (AttributeError, TypeError, ValueError) as fault:
        raise CheckCrashed(f"suite {suite.name}, rule {rule.name}: {_first_line(fault)}") from fault


def _as_template(query: str) -> str:
    """A suite's query as the library fills it: all braces but those of the batch are text.

    The library names the batch itself unless the query has a join: in brackets of ours a query may name it as it likes.
    """
    text = query.replace("{", "{{").replace("}", "}}")
    return text.replace("{{batch}}", "(select * from {batch})")


def _result(suite: Suite, rule: Rule, outcome: Any) -> CheckResult:
    if outcome is None:
        raise CheckCrashed(f"suite {suite.name}, rule {rule.name} was not evaluated")
    fault = _exception_of(outcome.exception_info or {})
    if fault:
        raise CheckCrashed(f"suite {suite.name}, rule {rule.name} could not be evaluated: {fault}")
    observed = outcome.result or {}
    failing = observed.get("unexpected_count")
    if failing is None and (rule.rows_that_break or rule.expect in custom.WITH_A_QUERY):
        failing = observed.get("observed_value")
    if failing is None:
        failing = 0 if outcome.success else 1
    return CheckResult(
        layer=suite.layer,
        table=suite.table,
        name=rule.name,
        engine="great_expectations",
        why=rule.why,
        cure=cure_of(suite, rule),
        severity=rule.severity,
        is_passed=bool(outcome.success),
        failing_rows=int(failing),
        observed=f"{failing} of {observed['element_count']} rows" if "element_count" in observed
        else f"observed {observed.get('observed_value')}",
    )  # fmt: skip


def _exception_of(information: dict[str, Any]) -> str:
    """The first exception's message; the library nests it by metric, or gives it flat."""
    for entry in (information, *information.values()):
        if isinstance(entry, dict) and entry.get("raised_exception"):
            return _first_line(entry.get("exception_message") or "unknown exception")
    return ""


def _first_line(fault: object) -> str:
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return without_values(lines[0])[:300] if lines else type(fault).__name__
