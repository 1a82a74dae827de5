"""One look at a home: what its runs, checks, feeds and nights say, and who is told of it.

What belongs here: the look, and reading ledgers for it. What does not: runs (`run_sightings`) and nights
(`night_sightings`); wording of conditions, sending and remembering (`alerting`); when a look is made (`sensors`,
`loyalty alerts check`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import dagster as dg

from dagster_project.alerting.channels import ChannelFailed, call, channels_of, secret
from dagster_project.alerting.conditions import LATE, STALE, Feed, stale_feeds
from dagster_project.alerting.messages import Alert, Ending, Message
from dagster_project.alerting.outbox import Heartbeat, beat, opened
from dagster_project.durable_files import write_atomically
from dagster_project.night_sightings import night_sightings
from dagster_project.run_sightings import dead_runs, kind_of, run_sightings
from dagster_project.settings import Settings, SettingsError
from dagster_project.sources.configured import source_tables
from dagster_project.sources.ledger import read_ledger


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
        seen = run_sightings(settings, instance, outbox, now)
        nights = night_sightings(settings, instance, outbox, now)
        alerts = [*seen.told_first(), *dead_runs(settings, instance, now), *stale_feeds(_feeds(settings), now)]
        alerts += nights.alerts

        def ending(key: str) -> Ending | None:
            if key.startswith(LATE):
                return nights.ending(key)
            is_over = key.startswith(STALE) or key in seen.passed or kind_of(key) in seen.passed
            return "well again" if is_over else None

        message = outbox.note(
            settings.business.name,
            alerts,
            nights.superseded,
            ending,
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


# -- feeds -------------------------------------------------------------------------------------------------------------


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
