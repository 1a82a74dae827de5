"""One look at a home: what its runs, checks, feeds and nights say, and who is told of it.

What belongs here: reading Dagster's records, ledgers and versions, and turning them into alerts. What does not: wording
of conditions, sending and remembering (`alerting`); when a look is made (`sensors`, `loyalty alerts check`).
"""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from dagster_project.alerting.channels import ChannelFailed, call, channels_of, secret
from dagster_project.alerting.conditions import LATE, STALE, Feed, late_night, stale_feeds
from dagster_project.alerting.messages import Alert, Message, masked
from dagster_project.alerting.outbox import Heartbeat, Outbox, beat, opened
from dagster_project.publishing.versions import list_versions
from dagster_project.run_faults import first_fault
from dagster_project.settings import NIGHT_HOUR, Settings, SettingsError
from dagster_project.sources.configured import source_tables
from dagster_project.sources.ledger import read_ledger
from dagster_project.warehouse import Warehouse, write_atomically

if TYPE_CHECKING:
    import dagster as dg

FIRST_LOOK_BACK = dt.timedelta(hours=24)
OVERLAP = dt.timedelta(minutes=5)  # a run's record may appear later than its own time stamp says
RUNS_A_LOOK = 200
UNBORN = dt.timedelta(minutes=5)  # a run that has just begun may not hold its home yet
RUN_FAILED, RUN_DIED, CHECK = "run_failed:", "run_died:", "check:"
CRASHED = "CheckCrashed"


@dataclass(frozen=True)
class Look:
    """What a look found and did."""

    count_open: int
    message: Message | None
    undelivered: list[str]

    def summary(self) -> str:
        """One line."""
        said = f"told: {self.message.subject}" if self.message else "nothing new"
        failed = f"; not delivered: {'; '.join(self.undelivered)}" if self.undelivered else ""
        return f"{self.count_open} open problems, {said}{failed}"


@dataclass
class Sightings:
    """What the runs since the last look say, in their order: a later pass undoes an earlier failure."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    def bad(self, alert: Alert) -> None:
        """A problem was seen."""
        self.passed.discard(alert.key)
        self.alerts[alert.key] = alert

    def well(self, key: str) -> None:
        """A problem is over; with a kind as key, all problems of that kind are."""
        self.alerts = {known: alert for known, alert in self.alerts.items() if key not in (known, _kind(known))}
        self.passed.add(key)


def look(settings: Settings, instance: dg.DagsterInstance, now: dt.datetime) -> Look:
    """Look at everything once, tell what is new, and leave the heartbeat; what could not be sent stays queued.

    Args:
        settings: the shop.
        instance: where Dagster keeps this home's runs.
        now: the moment of the look, with a time zone.
    """
    folder = settings.home / "alerts"
    channels = channels_of(settings.alerts, settings.home)
    with opened(folder, write_atomically) as (outbox, keep):
        seen = _runs(settings, instance, outbox, now)
        published = _latest_night(settings)
        alerts = [*seen.alerts.values(), *_died(settings, instance, now), *stale_feeds(_feeds(settings), now)]
        alerts += _late(settings, instance, published, now)

        def is_over(key: str) -> bool:
            if key.startswith(LATE):
                return published is not None and published.isoformat() >= key.removeprefix(LATE)
            return key.startswith(STALE) or key in seen.passed or _kind(key) in seen.passed

        message = outbox.note(
            settings.business.name,
            alerts,
            is_over,
            [channel.name for channel in channels],
            now,
            dt.timedelta(hours=settings.alerts.remind_after_hours),
        )
        keep()
        undelivered = [*outbox.deliver(channels, keep), *_ping(settings)]
        count_open = len(outbox.open)
    beat(folder, Heartbeat(now.isoformat(timespec="seconds"), count_open, tuple(undelivered)), write_atomically)
    return Look(count_open, message, undelivered)


def send_test(settings: Settings, now: dt.datetime) -> list[tuple[str, str | None]]:
    """Send a test message on every channel; channel → what failed, or nothing."""
    alert = Alert(
        "test", "this is a test of the alerts", "Nothing is wrong; somebody asked for this message.", "warning"
    )
    message = Message(0, now.isoformat(timespec="seconds"), settings.business.name, (alert,))
    outcomes: list[tuple[str, str | None]] = []
    for channel in channels_of(settings.alerts, settings.home):
        try:
            channel.send(message)
            outcomes.append((channel.name, None))
        except ChannelFailed as fault:
            outcomes.append((channel.name, str(fault)))
    return outcomes


def _kind(key: str) -> str:
    """The prefix that names a kind of problem."""
    return key[: key.index(":") + 1]


# -- runs and their checks ---------------------------------------------------------------------------------------------


def _runs(settings: Settings, instance: dg.DagsterInstance, outbox: Outbox, now: dt.datetime) -> Sightings:
    """What the runs that ended since the last look say; the outbox remembers how far this look came."""
    import dagster as dg

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
        outbox.position = {"since": max(newest, since).isoformat(), "known": [*known, *ids][-2 * RUNS_A_LOOK :]}
    else:
        outbox.position = {"since": since.isoformat(), "known": known}
    return seen


def _run(run: dg.DagsterRun, instance: dg.DagsterInstance, settings: Settings, seen: Sightings) -> None:
    import dagster as dg

    for event in _events(instance, run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        _check(event.asset_check_evaluation_data, seen)
    night = _night_of(run)
    if run.status == dg.DagsterRunStatus.SUCCESS:
        if run.job_name == "nightly_job":
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


def _check(evaluated: Any, seen: Sightings) -> None:
    """A check that failed, as table, rule, rows and reason; of one that passed, that it did."""
    import dagster as dg

    name = f"{'.'.join(evaluated.asset_key.path)}:{evaluated.check_name}"
    if evaluated.passed:
        seen.well(f"{CHECK}{name}")
        return
    rows = evaluated.metadata.get("failing_rows")
    counted = f"{rows.value} failing rows. " if rows is not None else ""
    is_critical = evaluated.severity == dg.AssetCheckSeverity.ERROR
    seen.bad(
        Alert(
            f"{CHECK}{name}",
            f"check {evaluated.check_name} failed on {'.'.join(evaluated.asset_key.path)}",
            f"{counted}{evaluated.description or ''} The rows are in the build, or in the published "
            "quality.check_results where the night went on.",
            "critical" if is_critical else "warning",
        )
    )


def _died(settings: Settings, instance: dg.DagsterInstance, now: dt.datetime) -> list[Alert]:
    """Runs that Dagster takes for running, of which no process is left: killed, out of memory, machine restarted."""
    import dagster as dg

    if Warehouse(settings).holder() is not None:
        return []
    started = instance.get_run_records(dg.RunsFilter(job_name="nightly_job", statuses=[dg.DagsterRunStatus.STARTED]))
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
    return str(run.tags.get("dagster/partition", "no partition"))


def _is_our_word(word: str, settings: Settings) -> bool:
    """Whether a quoted word is a name of the settings, or a file that they ask for."""
    for source_name, source in settings.sources.items():
        for table_name, table in source.tables.items():
            if word in {source_name, table_name, f"{source_name}.{table_name}", table.files, *table.columns}:
                return True
            if table.files.strip("*?/.") and fnmatch.fnmatch(word.removesuffix(".gz"), table.files):
                return True
    return False


# -- nights and feeds --------------------------------------------------------------------------------------------------


def _latest_night(settings: Settings) -> dt.date | None:
    nights = [manifest.as_of for manifest in list_versions(settings.home / "published")]
    return dt.date.fromisoformat(max(nights)) if nights else None


def _late(
    settings: Settings, instance: dg.DagsterInstance, published: dt.date | None, now: dt.datetime
) -> Iterator[Alert]:
    """The night that is due and not there; a shop whose settings name one night expects no other."""
    hours = settings.alerts.night_due_hours
    if hours is None or settings.as_of is not None:
        return
    night, due_at = _due(settings, hours, now)
    alert = late_night(night, due_at, now, published, _run_of(night, instance))
    if alert is not None and night >= settings.business.first_night:
        yield alert


def _due(settings: Settings, hours: float, now: dt.datetime) -> tuple[dt.date, dt.datetime]:
    """The latest business day whose version was due by now, and when."""
    zone = ZoneInfo(settings.business.time_zone)
    day = now.astimezone(zone).date() - dt.timedelta(days=1)
    while True:
        begins = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(NIGHT_HOUR), zone).astimezone(dt.UTC)
        if begins + dt.timedelta(hours=hours) <= now:
            return day, begins + dt.timedelta(hours=hours)
        day -= dt.timedelta(days=1)


def _run_of(night: dt.date, instance: dg.DagsterInstance) -> str | None:
    import dagster as dg

    tags = {"dagster/partition": night.isoformat()}
    runs = instance.get_runs(dg.RunsFilter(job_name="nightly_job", tags=tags), limit=1)
    return str(runs[0].status.value) if runs else None


def _feeds(settings: Settings) -> list[Feed]:
    try:
        tables = source_tables(settings)
    except SettingsError:
        return []  # a folder's variable is not set here, which the night itself will say
    feeds = []
    for table in tables:
        moments = [load.loaded_at for load in read_ledger(table, settings.home / "landing")]
        limit = settings.sources[table.source].tables[table.table].stale_after_hours
        feeds.append(Feed(table.name, max(moments, default=None), limit))
    return feeds


def _ping(settings: Settings) -> list[str]:
    """Call the address of the heartbeat, if there is one; gives what failed."""
    variable = settings.alerts.heartbeat_url_variable
    if variable is None:
        return []
    name = f"heartbeat of {variable}"
    try:
        call(name, secret(variable, name))
    except ChannelFailed as fault:
        return [str(fault)]
    return []
