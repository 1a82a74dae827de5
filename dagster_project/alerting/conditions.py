"""What is wrong although nothing has failed: a night that did not come, a feed that has gone quiet.

What belongs here: judging moments that are given; no clock, no files. What does not: reading runs and files (`watch`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dagster_project.alerting.messages import Alert

STALE = "feed_is_stale:"
LATE = "night_is_late:"


@dataclass(frozen=True)
class Feed:
    """A source table: its name, when it last brought anything new, and after how many hours that is too long ago."""

    name: str
    last_new_at: datetime | None
    stale_after_hours: float | None


def stale_feeds(feeds: Iterable[Feed], now: datetime) -> list[Alert]:
    """One alert for each feed that has brought nothing new for longer than its settings allow."""
    return [
        Alert(
            f"{STALE}{feed.name}",
            f"feed {feed.name} is stale",
            f"The last delivery that held anything new was landed {_ago(now - feed.last_new_at)} ago, at "
            f"{feed.last_new_at:%Y-%m-%d %H:%M} UTC; expected one every {feed.stale_after_hours:g} hours. "
            "Ask the source; until then its numbers are old, not small. Another rhythm goes into `stale_after_hours`.",
            "warning",
        )
        for feed in feeds
        if feed.last_new_at is not None
        and feed.stale_after_hours is not None
        and now - feed.last_new_at > timedelta(hours=feed.stale_after_hours)
    ]


def late_night(night: date, due_at: datetime, published: date, run: str | None) -> Alert:
    """An alert of a night that is due and not published, nor any later one.

    Args:
        night: the business day.
        due_at: by when its version was to be there.
        published: the latest business day that is published.
        run: the status of the newest run of that night, `STARTED` or `FAILURE` say; nothing when there was none.
    """
    if run is None:
        found, cure = "no run of it was ever begun", "is the schedule on, and is the Dagster daemon alive?"
    elif run == "FAILURE":
        found, cure = "its run failed", "cure that and run the night again."
    else:
        found, cure = f"its run is {run.lower().replace('_', ' ')}", "look at its steps in the Dagster UI."
    return Alert(
        f"{LATE}{night}",
        title_of_late(night),
        f"It was due at {due_at:%Y-%m-%d %H:%M} UTC, and {found}: {cure} Readers still see {published} at the latest. "
        f"`loyalty run --as-of {night}` makes up for it.",
    )


def title_of_late(night: date) -> str:
    """What is wrong with a night that did not come."""
    return f"the night of {night} is not published"


def _ago(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
