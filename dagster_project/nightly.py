"""One night, run in this process by the same job that the schedule runs, in the instance that the UI shows.

What belongs here: starting the job, following it, and saying in one line what went wrong. How it looks on a terminal is
in `cli`, what the job consists of in `definitions`.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagster_project.publishing.versions import require_own_versions
from dagster_project.settings import PROJECT_ROOT, Settings
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    import dagster as dg

OnStep = Callable[[str, str, float], None]
"""Hears a step's name, `started`, `finished` or `failed`, and its seconds."""


class NightFailed(RuntimeError):
    """The night did not end; the message is one line with the step, the fault and its cure."""


@dataclass(frozen=True)
class Night:
    """A finished night."""

    as_of: dt.date
    run_id: str
    steps: dict[str, float]
    seconds: float


def run_night(
    settings: Settings, as_of: dt.date, on_step: OnStep | None = None, instance: dg.DagsterInstance | None = None
) -> Night:
    """Run the nightly job for one business day, to the end.

    Args:
        settings: the shop.
        as_of: the business day, which must have ended.
        on_step: told of each step as it starts and ends.
        instance: where Dagster keeps the run; that of this home unless given.

    Raises:
        WarehouseError: another run holds this home.
        VersionError: it holds the versions of another shop.
        DbtFailed: the dbt project cannot be parsed.
        NightFailed: a step failed; the version that was published before is still the one that readers see.
    """
    with Warehouse(settings).exclusive():
        # a run that cannot have the home should say so before it starts
        require_own_versions(settings.home / "published", settings.business.names)
    from dagster_project.definitions import build_definitions

    began = time.perf_counter()
    follower = StepFollower(on_step)
    definitions = build_definitions(settings, loggers={"console": follower.logger_definition()})
    with nullcontext(instance) if instance else dg_instance(settings) as used_instance:
        outcome = definitions.resolve_job_def("nightly_job").execute_in_process(
            run_config={"loggers": {"console": {}}},  # a logger that the run does not name gives way to Dagster's own
            partition_key=as_of.isoformat(),
            instance=used_instance,
            raise_on_error=False,
        )
    if not outcome.success:
        raise NightFailed(_fault(outcome, settings))
    return Night(as_of, outcome.run_id, follower.seconds, time.perf_counter() - began)


def dg_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of this home, made on first use."""
    import dagster as dg

    return dg.DagsterInstance.from_config(str(prepare_instance(settings)))


def prepare_instance(settings: Settings) -> Any:
    """The folder to give to Dagster as DAGSTER_HOME, with the project's `dagster.yaml` in it."""
    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", folder / "dagster.yaml")
    return folder


class StepFollower:
    """Hears Dagster's own events through its logging and passes on when steps start and end."""

    def __init__(self, on_step: OnStep | None) -> None:
        self.seconds: dict[str, float] = {}
        self._on_step = on_step or (lambda *_: None)

    def logger_definition(self) -> dg.LoggerDefinition:
        """The logger to give to the job in place of Dagster's console."""
        import dagster as dg

        follower = self

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                event = getattr(record, "dagster_meta", {}).get("dagster_event")
                if event is not None:
                    follower.follow(event)

        @dg.logger
        def console(_: dg.InitLoggerContext) -> logging.Logger:
            logger = logging.Logger("loyalty.night", level=logging.DEBUG)
            logger.addHandler(Handler())
            return logger

        return console

    def follow(self, event: dg.DagsterEvent) -> None:
        """Take note of one event."""
        name = str(event.step_key)
        if event.event_type_value == "STEP_START":
            self._on_step(name, "started", 0.0)
        elif event.event_type_value == "STEP_SUCCESS":
            self.seconds[name] = event.step_success_data.duration_ms / 1000
            self._on_step(name, "finished", self.seconds[name])
        elif event.event_type_value == "STEP_FAILURE":
            self._on_step(name, "failed", 0.0)


def _fault(outcome: Any, settings: Settings) -> str:
    """The cause of a failed run in one line, and what readers see meanwhile."""
    from dagster_project.publishing.versions import current_version
    from dagster_project.run_faults import first_fault

    fault = first_fault(outcome.all_events)
    kept = current_version(settings.home / "published")
    still = f"readers still see {kept}" if kept else "nothing is published yet"
    return f"{fault.step}: {fault.message} ({still})"
