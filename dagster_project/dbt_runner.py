"""Runs the dbt project in this process: one parse a process, one invocation a stage, the results as plain rows.

Knows dbt and no Dagster. dbt's own `dbtRunner` is used rather than its command line (DECISIONS.md has the measurement).
What belongs elsewhere: SQL (`dbt_models/`), and how results become assets and checks (`assets/dbt.py`).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.dbt_session import SECRET_VARIABLE
from dagster_project.durable_files import write_atomically
from dagster_project.settings import Settings
from dagster_project.shop_project import project_files, project_folder, staged_entities
from dagster_project.source_settings import feed_time_zones, has_deletions
from dagster_project.warehouse import Warehouse, without_values

DEFINITION_VARIABLES = (
    "active_window_days", "repeat_window_days", "late_grace_days", "minimum_base", "revenue_includes_shipping",
    "margin_share", "loyal_minimum_occasions", "loyal_gap_multiple", "new_customer_days", "at_risk_gap_multiple",
    "lapsed_gap_multiple", "won_back_days", "gap_prior_weight", "adoption_window_days", "price_rise_share",
    "price_rise_window_days",
    "survey_throttle_days", "survey_answer_days", "first_reply_hours", "resolution_hours",
    "is_service_level_in_business_hours", "service_opening_hour", "service_closing_hour", "service_weekdays",
    "service_holidays", "reopen_window_days", "bot_minimum_posts", "bot_text_share", "loyalty_index_average",
    "loyalty_index_above_average", "loyalty_index_minimum_items", "feedback_reply_days",
    "follow_up_days", "detractor_owner", "complaint_owner",
    "maximum_rate_age_days", "subscription_grace_days", "subscription_total_base", "response_window_days",
    "member_active_days", "effect_horizon_days", "cost_per_point",
    "score_scale", "score_full_occasions", "score_full_net", "score_cap_with_complaint",
)  # fmt: skip
"""The settings under `definitions` that SQL reads as variables of the same name."""
NOT_OF_SQL = {"suggests_merges", "suggested_from"}
"""Settings of identity that SQL does not read."""
PASSED = frozenset({"success", "pass"})
_PARSED: dict[str, Parsed] = {}
"""What this process has parsed, by the files and the variables that it was parsed from: of any home, for any night."""
PROGRESS_EVENTS = frozenset({"LogModelResult", "LogSeedResult"})


class DbtFailed(RuntimeError):
    """A model or a test failed, or dbt could not start; the message names the first fault and where to look."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one dbt node."""

    unique_id: str
    resource_type: str
    status: str
    message: str
    failures: int
    seconds: float

    @property
    def has_passed(self) -> bool:
        """Whether the model was built, or the test found nothing."""
        return self.status in PASSED


@dataclass(frozen=True)
class Parsed:
    """The parsed project: as dbt's own object, which its invocations take, and as the JSON that it writes of it."""

    manifest: Any
    document: Mapping[str, Any]


class DbtRunner:
    """The dbt project under one shop's settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.warehouse = Warehouse(settings)
        self.target = settings.home / "dbt"

    @property
    def manifest_path(self) -> Path:
        """Where the parsed project lies."""
        return self.target / "manifest.json"

    @property
    def _stamp(self) -> Path:
        return self.target / "parsed_for.json"

    def manifest(self) -> Mapping[str, Any]:
        """The parsed project as JSON, parsed anew when a file of it or a setting that it reads has changed."""
        wanted = self._parsed_from()
        if wanted not in _PARSED and self._is_kept(wanted):
            return self._document()
        return self._parsed().document

    def models_tagged(self, tag: str) -> set[str]:
        """Names of the models that carry a tag."""
        return {node["name"] for node in self.manifest()["nodes"].values() if tag in node.get("tags", ())}

    def readers(self, raw_table: str, column: str) -> list[str]:
        """Names of the models that read a raw table and name the column, in name order; their SQL is not parsed."""
        named = re.compile(rf"\b{re.escape(column)}\b", re.IGNORECASE)
        return sorted(
            node["name"]
            for node in self.manifest()["nodes"].values()
            if ["raw", raw_table] in node.get("sources", ()) and named.search(node.get("raw_code", ""))
        )

    def build(self, select: str, as_of: dt.date, on_line: Callable[[str], None] | None = None) -> list[NodeResult]:
        """Build the selected models and seeds and run their data tests, in one invocation.

        Args:
            select: a dbt selector.
            as_of: the business day that the build describes.
            on_line: receives dbt's own progress lines.

        Raises:
            DbtFailed: dbt could not run; a failed model or test is a result, not an exception.
        """
        return self._invoke(self.build_arguments(select, as_of), on_line=on_line)

    def build_arguments(self, select: str, as_of: dt.date) -> list[str]:
        """What `build` tells dbt."""
        arguments = ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(self._variables(as_of))]
        for selector in select.split():
            arguments += ["--exclude", selector[1:]] if selector.startswith("!") else ["--select", selector]
        return arguments

    def unit_test(self, as_of: dt.date, folder: str = "models") -> list[NodeResult]:
        """Run the unit tests of the SQL, in one invocation; a failed one says in its message how the rows differ.

        Their rows take their types from the tables that they stand for, which must exist: build any night first, an
        empty one will do.

        Args:
            as_of: the business day that unit tests see which name none.
            folder: of the project; only the tests of the models in it are run.

        Raises:
            DbtFailed: dbt could not run.
        """
        select = f"test_type:unit,path:{folder}"
        arguments = ["test", "--select", select, "--vars", json.dumps(self._variables(as_of))]
        return self._invoke(arguments, on_line=None)

    def compiled(self, sql: str, as_of: dt.date) -> str:
        """What dbt makes of a text of SQL and Jinja that may use the project's macros.

        Args:
            sql: the text.
            as_of: the business day that the macros see.

        Raises:
            DbtFailed: the text does not compile.
        """
        arguments = ["compile", "--inline", sql, "--vars", json.dumps(self._variables(as_of))]
        [result] = self._results(arguments, on_line=None)
        return str(result.node.compiled_code)

    def _parsed_from(self) -> str:
        read = {"vars": self._variables(None), "own": str(self.settings.shop_folder), "files": self._newest_file()}
        return json.dumps(read, sort_keys=True)

    def _document(self) -> Mapping[str, Any]:
        document: dict[str, Any] = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        return document

    def _parsed(self) -> Parsed:
        wanted = self._parsed_from()
        if wanted not in _PARSED:
            self._stamp.unlink(missing_ok=True)  # dbt writes its JSON in place: a parse that is cut short leaves half
            _PARSED[wanted] = Parsed(self._parse(), self._document())
            write_atomically(self._stamp, wanted)
        elif not self._is_kept(wanted):  # it was parsed for another home
            self._stamp.unlink(missing_ok=True)
            write_atomically(self.manifest_path, json.dumps(_PARSED[wanted].document))
            write_atomically(self._stamp, wanted)
        return _PARSED[wanted]

    def _is_kept(self, wanted: str) -> bool:
        """Whether the home holds the parsed project as it is wanted."""
        stamped = self._stamp.read_text(encoding="utf-8") if self._stamp.exists() else None
        return stamped == wanted and self.manifest_path.exists()

    def _parse(self) -> Any:
        from dbt.cli.main import dbtRunner

        with self.environment():
            outcome = dbtRunner().invoke(
                ["parse", "--vars", json.dumps(self._variables(None)), *self._common_arguments()]
            )
        if not outcome.success:
            raise DbtFailed(f"dbt cannot parse {self._project()}: {without_values(outcome.exception)}")
        return outcome.result

    def _invoke(self, arguments: list[str], on_line: Callable[[str], None] | None) -> list[NodeResult]:
        return [
            NodeResult(
                unique_id=result.node.unique_id,
                resource_type=str(result.node.resource_type.value),
                status=str(result.status.value),
                message=_message(result),
                failures=int(result.failures or 0),
                seconds=float(result.execution_time),
            )
            for result in self._results(arguments, on_line)
        ]

    def _results(self, arguments: list[str], on_line: Callable[[str], None] | None) -> list[Any]:
        from dbt.cli.main import dbtRunner

        def listen(event: Any) -> None:
            if on_line and event.info.name in PROGRESS_EVENTS:
                on_line(event.info.msg)

        manifest = self._parsed().manifest
        with self.environment():
            outcome = dbtRunner(manifest=manifest, callbacks=[listen]).invoke(
                [*arguments, "--no-write-json", *self._common_arguments()]
            )
        if outcome.result is None:
            raise DbtFailed(f"dbt stopped: {without_values(outcome.exception)}")
        return list(outcome.result.results)

    def _common_arguments(self) -> list[str]:
        project = str(self._project())
        return [
            "--project-dir", project, "--profiles-dir", project, "--target-path", str(self.target),
            "--log-path", str(self.target / "logs"), "--log-level", "none", "--quiet", "--no-use-colors",
            "--no-send-anonymous-usage-stats", "--no-version-check",
        ]  # fmt: skip

    @contextmanager
    def environment(self) -> Iterator[None]:
        """The variables that profiles.yml and the session plugin read, for the time of one invocation.

        Whatever the invocation opened is closed at its end.
        """
        given = {
            "LOYALTY_WORK": str(self.warehouse.work),
            "LOYALTY_DBT_TARGET": str(self.target),
            "LOYALTY_ENGINE_CONFIG": json.dumps(self.warehouse.engine_config()),
            SECRET_VARIABLE: self.warehouse.secret(),
        }
        before = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        try:
            yield
        finally:
            _close_connections()
            for name, text in before.items():
                if text is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = text

    def _variables(self, as_of: dt.date | None) -> dict[str, Any]:
        """What the SQL may know of the settings; a parse leaves the night out, so that it serves any night."""
        chosen = self.settings.definitions.model_dump(mode="json", include=set(DEFINITION_VARIABLES))
        night = {
            "as_of": as_of.isoformat() if as_of else "2000-01-01",
            "as_of_ends_at": f"{self.settings.ends_at(as_of):%Y-%m-%d %H:%M:%S}" if as_of else "2000-01-02 00:00:00",
        }
        return night | {
            "time_zone": self.settings.business.time_zone,
            "currency": self.settings.business.currency,
            "sources": sorted(self.settings.sources),
            "staged": staged_entities(self.settings),
            **chosen,
            "identity": self.settings.definitions.identity.model_dump(mode="json", exclude=NOT_OF_SQL),
            "feed_time_zones": feed_time_zones(self.settings.sources),
            "has_deletions": has_deletions(self.settings.sources),
        }

    def _project(self) -> Path:
        return project_folder(self.settings, self.target)

    def _newest_file(self) -> list[Any]:
        files = project_files(self.settings)
        return [len(files), max(path.stat().st_mtime_ns for path in files)]


def _close_connections() -> None:
    """Let go of the build: while its database is open, nobody else may replace or rename the file.

    The adapter forgets its environment without closing it, so a thread or a cycle of references that still has hold of
    it would keep the database open for as long as it likes. Closing its connection closes all cursors made of it.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    opened = DuckDBConnectionManager._ENV
    DuckDBConnectionManager.close_all_connections()
    if opened is not None:
        opened.close()


def _message(result: Any) -> str:
    """What dbt says of a node, on one line; the differing rows of a unit test keep theirs."""
    said = result.message or ""
    return str(said) if result.node.resource_type == "unit_test" else without_values(said)
