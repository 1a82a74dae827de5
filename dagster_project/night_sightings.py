"""What the calendar says of the nights: one that is due and not published, one that was missed while nobody looked.

What belongs here: which nights were due, and which of them were published. What does not: how a run of one went
(`run_sightings`), wording (`alerting`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import dagster as dg

from dagster_project.alerting.conditions import LATE, late_night, title_of_late
from dagster_project.alerting.messages import Alert, Ending
from dagster_project.alerting.outbox import Outbox
from dagster_project.jobs import NIGHTLY
from dagster_project.partitions import PARTITION_TAG
from dagster_project.publishing.versions import list_versions
from dagster_project.settings import NIGHT_HOUR, Settings

LOOKED_TO = "nights_looked_to"
LONGEST_LOOK_BACK = dt.timedelta(days=31)


@dataclass
class NightSightings:
    """The nights that are due and not published, and those of which a later night was published meanwhile."""

    latest: dt.date | None
    is_published: Callable[[dt.date], bool]
    alerts: list[Alert] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)

    def ending(self, key: str) -> Ending | None:
        """How the problem of a late night ended: by that very night, or by a later one; None where it lasts."""
        night = dt.date.fromisoformat(key.removeprefix(LATE))
        if self.is_published(night):
            return "well again"
        return "superseded" if self.latest is not None and self.latest > night else None


def night_sightings(
    settings: Settings, instance: dg.DagsterInstance, outbox: Outbox, now: dt.datetime
) -> NightSightings:
    """Which nights are late now, and which were missed since the last look; the outbox remembers how far it came.

    A shop whose settings name one night, or no hours until it is due, expects none, and neither does one that has
    published nothing yet.
    """
    versions = {dt.date.fromisoformat(found.as_of) for found in list_versions(settings.home / "published")}
    latest = max(versions, default=None)

    def is_published(night: dt.date) -> bool:
        return night in versions or _newest_run(night, instance, dg.DagsterRunStatus.SUCCESS) is not None

    seen = NightSightings(latest, is_published)
    hours = settings.alerts.night_due_hours
    if hours is None or settings.as_of is not None or latest is None:
        return seen
    newest = _newest_due(settings, hours, now)
    known = dt.date.fromisoformat(outbox.position.get(LOOKED_TO, f"{newest - dt.timedelta(days=1)}"))
    for night in _nights(max(min(known, newest - dt.timedelta(days=1)), newest - LONGEST_LOOK_BACK), newest):
        if night < settings.business.first_night or is_published(night):
            continue
        if latest < night:
            run = _newest_run(night, instance)
            seen.alerts.append(late_night(night, _due_at(settings, hours, night), latest, run))
        elif night > known:
            seen.superseded.append(title_of_late(night))
    outbox.position[LOOKED_TO] = f"{max(known, newest)}"
    return seen


def _nights(after: dt.date, until: dt.date) -> Iterator[dt.date]:
    return (after + dt.timedelta(days=number) for number in range(1, (until - after).days + 1))


def _newest_due(settings: Settings, hours: float, now: dt.datetime) -> dt.date:
    """The latest business day whose version was due by now."""
    day = now.astimezone(ZoneInfo(settings.business.time_zone)).date() - dt.timedelta(days=1)
    while _due_at(settings, hours, day) > now:
        day -= dt.timedelta(days=1)
    return day


def _due_at(settings: Settings, hours: float, night: dt.date) -> dt.datetime:
    """The moment by which a business day's version is due."""
    zone = ZoneInfo(settings.business.time_zone)
    begins = dt.datetime.combine(night + dt.timedelta(days=1), dt.time(NIGHT_HOUR), zone).astimezone(dt.UTC)
    return begins + dt.timedelta(hours=hours)


def _newest_run(night: dt.date, instance: dg.DagsterInstance, *statuses: dg.DagsterRunStatus) -> str | None:
    """The status of the newest run of a night, of those that have one of these; None where there is none."""
    chosen = dg.RunsFilter(job_name=NIGHTLY, tags={PARTITION_TAG: night.isoformat()}, statuses=statuses or None)
    runs = instance.get_runs(chosen, limit=1)
    return str(runs[0].status.value) if runs else None
