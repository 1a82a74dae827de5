"""What Dagster's records say of the nights: runs that failed or died, checks that failed or could not be evaluated.

What belongs here: reading runs and events into alerts. What does not: nights that did not come (`night_sightings`),
telling anybody (`alerting`).
"""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dagster_project.alerting.messages import Alert, masked
from dagster_project.alerting.outbox import Outbox
from dagster_project.jobs import NIGHTLY
from dagster_project.partitions import PARTITION_TAG
from dagster_project.run_faults import first_fault
from dagster_project.settings import Settings
from dagster_project.sources.tables import delivery_name
from dagster_project.warehouse import Warehouse

FIRST_LOOK_BACK = dt.timedelta(hours=24)
OVERLAP = dt.timedelta(minutes=5)  # a run's record may appear later than its own time stamp says
RUNS_A_LOOK = 200
UNBORN = dt.timedelta(minutes=5)  # a run that has just begun may not hold its home yet
RUN_FAILED, RUN_DIED, CHECK = "run_failed:", "run_died:", "check:"
CRASHED = "CheckCrashed"
READERS_KEEP = "Readers keep the version before; the rows are in the build until the next run begins."
READERS_HAVE = "The night went on; quality.check_results of its version tells of it."


@dataclass
class Sightings:
    """What the runs since the last look say, in their order: a later pass undoes an earlier failure."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    def bad(self, alert: Alert) -> None:
        """A problem was seen."""
        self.passed.discard(alert.key)
        self.alerts[alert.key] = alert

    def told_first(self) -> list[Alert]:
        """The problems, what stopped a night before the checks that it names."""
        return sorted(self.alerts.values(), key=lambda alert: kind_of(alert.key) == CHECK)

    def well(self, key: str) -> None:
        """A problem is over; with a kind as key, all problems of that kind are."""
        self.alerts = {known: alert for known, alert in self.alerts.items() if key not in (known, kind_of(known))}
        self.passed.add(key)


def kind_of(key: str) -> str:
    """The prefix that names a kind of problem."""
    return key[: key.index(":") + 1]


def run_sightings(settings: Settings, instance: dg.DagsterInstance, outbox: Outbox, now: dt.datetime) -> Sightings:
    """What the runs that ended since the last look say; the outbox remembers how far this look came."""
    since = dt.datetime.fromisoformat(outbox.position.get("since", (now - FIRST_LOOK_BACK).isoformat()))
    known: list[str] = outbox.position.get("known", [])
    records = instance.get_run_records(
        dg.RunsFilter(
            updated_after=since - OVERLAP,
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        ),
        limit=RUNS_A_LOOK,
        order_by="update_timestamp",
        ascending=True,
    )
    seen = Sightings()
    for record in records:
        if record.dagster_run.run_id not in known:
            _run(record.dagster_run, instance, settings, seen)
    if records:
        newest = max(record.update_timestamp for record in records)
        ids = [record.dagster_run.run_id for record in records]
        outbox.position |= {"since": max(newest, since).isoformat(), "known": [*known, *ids][-2 * RUNS_A_LOOK :]}
    else:
        outbox.position |= {"since": since.isoformat(), "known": known}
    return seen


def _run(run: dg.DagsterRun, instance: dg.DagsterInstance, settings: Settings, seen: Sightings) -> None:
    night = _night_of(run)
    for event in _events(instance, run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        _check(event.asset_check_evaluation_data, night, seen)
    if run.status == dg.DagsterRunStatus.SUCCESS:
        if run.job_name == NIGHTLY:
            seen.well(RUN_FAILED)
            seen.well(RUN_DIED)
        return
    if run.status == dg.DagsterRunStatus.CANCELED:
        seen.bad(Alert(f"{RUN_FAILED}{night}:cancelled", f"the night of {night} was cancelled",
                       f"Somebody ended run {run.run_id}. `loyalty run --as-of {night}` makes up for it."))  # fmt: skip
        return
    fault = first_fault(_events(instance, run.run_id, dg.DagsterEventType.STEP_FAILURE))
    what = "a check could not be evaluated" if fault.kind == CRASHED else f"{fault.step} failed"
    seen.bad(
        Alert(
            f"{RUN_FAILED}{night}:{fault.step}:{fault.kind}",
            f"the night of {night} stopped: {what}",
            f"{masked(fault.message, lambda word: _is_our_word(word, settings))} "
            f"Readers keep the version before. The whole fault is in run {run.run_id} of the Dagster UI.",
        )
    )


def _check(evaluated: Any, night: str, seen: Sightings) -> None:
    """A check that failed, as table, rule, rows and reason; of one that passed, that it did."""
    table = ".".join(evaluated.asset_key.path)
    key = f"{CHECK}{table}:{evaluated.check_name}"
    if evaluated.passed:
        seen.well(key)
        return
    rows, cure = evaluated.metadata.get("failing_rows"), evaluated.metadata.get("cure")
    counted = f"{rows.value:,} failing rows on" if rows is not None else "It failed on"
    is_critical = evaluated.severity == dg.AssetCheckSeverity.ERROR
    left = READERS_KEEP if is_critical else READERS_HAVE
    seen.bad(
        Alert(
            key,
            f"check {evaluated.check_name} failed on {table}",
            " ".join(
                filter(None, (f"{counted} the night of {night}.", evaluated.description, cure and cure.value, left))
            ),
            "critical" if is_critical else "warning",
        )
    )


def dead_runs(settings: Settings, instance: dg.DagsterInstance, now: dt.datetime) -> list[Alert]:
    """Runs that Dagster takes for running, of which no process is left: killed, out of memory, machine restarted."""
    if Warehouse(settings).is_held():
        return []
    started = instance.get_run_records(dg.RunsFilter(job_name=NIGHTLY, statuses=[dg.DagsterRunStatus.STARTED]))
    return [
        Alert(
            f"{RUN_DIED}{record.dagster_run.run_id}",
            f"the run of the night of {_night_of(record.dagster_run)} died",
            f"Dagster shows run {record.dagster_run.run_id} as started, and no process is left of it: it was killed, "
            f"or ran out of memory. `loyalty run --as-of {_night_of(record.dagster_run)}` makes up for it; then delete "
            "the dead run in the UI.",
        )
        for record in started
        if now.timestamp() - (record.start_time or now.timestamp()) > UNBORN.total_seconds()
    ]


def _events(instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType) -> Iterator[Any]:
    return (entry.dagster_event for entry in instance.all_logs(run_id, of_type=kind) if entry.dagster_event)


def _night_of(run: dg.DagsterRun) -> str:
    return str(run.tags.get(PARTITION_TAG, "no partition"))


def _is_our_word(word: str, settings: Settings) -> bool:
    """Whether a quoted word is a name of the settings, or a file that they ask for."""
    for source_name, source in settings.sources.items():
        for table_name, table in source.tables.items():
            if word in {source_name, table_name, f"{source_name}.{table_name}", table.pattern, *table.columns}:
                return True
            if table.pattern.strip("*?/.") and fnmatch.fnmatch(delivery_name(word), table.pattern):
                return True
    return False
