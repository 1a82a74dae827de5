"""What is known to be wrong, what was said of it, and what is still to be sent: kept from one look to the next.

A problem is told when it is first seen, and once when it is over, cured or overtaken; a critical one that lasts is told
again after each `remind_after`. A message stays in the queue of each channel until that channel took it: a server that
is away delays and loses nothing. The memory is replaced after each send, so that a look killed at work repeats one
message at most.

What belongs here: that memory and the heartbeat. What does not: noticing (`watch`), sending (`channels.py`).
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.alerting.channels import Channel, ChannelFailed
from dagster_project.alerting.messages import Alert, Ending, Message

STATE = "state.json"
HEARTBEAT = "heartbeat.json"
LONGEST_QUEUE = 500  # messages; with a channel away for good, older ones are dropped rather than kept for ever

WriteText = Callable[[Path, str], None]
"""Replaces a small file in one step."""


@dataclass
class Problem:
    """A problem that is not over, and when it was first seen and last told."""

    alert: Alert
    first_seen: str
    last_told: str


@dataclass
class Queued:
    """A message and the names of the channels that do not have it yet."""

    message: Message
    remaining: list[str]


@dataclass
class Outbox:
    """The memory of one home.

    Attributes:
        position: how far the looking has come, in whatever terms the looker likes.
        open: key → problem that is not over.
        queue: what some channel does not have yet, oldest first.
        next_number: the number of the next message.
    """

    position: dict[str, Any] = field(default_factory=dict)
    open: dict[str, Problem] = field(default_factory=dict)
    queue: list[Queued] = field(default_factory=list)
    next_number: int = 1

    def note(
        self,
        business: str,
        alerts: Sequence[Alert],
        superseded: Sequence[str],
        ending: Callable[[str], Ending | None],
        channels: Collection[str],
        now: datetime,
        remind_after: timedelta,
    ) -> Message | None:
        """Remember what was seen, and queue a message when there is something to say; gives that message.

        Args:
            business: whose shop it is.
            alerts: the problems seen at this look.
            superseded: titles of problems that nobody saw until they were overtaken; each is told now, and not kept.
            ending: how a problem that was open ended, if it did; one seen at this look did not.
            channels: names of the channels that shall have the message.
            now: the moment of the look.
            remind_after: how long a critical problem that lasts is not told again.
        """
        told, moment = [], now.isoformat(timespec="seconds")
        seen = {alert.key: alert for alert in alerts}
        endings = {key: ending(key) for key in self.open if key not in seen}
        over: dict[Ending, list[str]] = {"well again": [], "superseded": [*superseded]}
        for key, ended in endings.items():
            if ended is not None:
                over[ended].append(self.open.pop(key).alert.title)
        for key, alert in seen.items():
            if key in self.open:
                self.open[key].alert = alert
            else:
                self.open[key] = Problem(alert, first_seen=moment, last_told=moment)
                told.append(alert)
        for problem in self.open.values():
            is_due = now - datetime.fromisoformat(problem.last_told) >= remind_after
            if problem.alert.severity == "critical" and is_due:
                problem.last_told = moment
                told.append(problem.alert)
        if not (told or any(over.values())):
            return None
        told.sort(key=lambda alert: alert.severity != "critical")
        message = Message(
            self.next_number, moment, business, tuple(told), tuple(over["well again"]), tuple(over["superseded"])
        )
        self.next_number += 1
        if channels:
            self.queue = [*self.queue, Queued(message, list(channels))][-LONGEST_QUEUE:]
        return message

    def deliver(self, channels: Sequence[Channel], keep: Callable[[], None]) -> list[str]:
        """Send what is queued, in order, on each channel until it fails; gives what failed.

        Args:
            channels: the channels that there are; a queued one that is gone from the settings is forgotten.
            keep: called after each message that a channel took.
        """
        faults: list[str] = []
        names = {channel.name for channel in channels}
        for queued in self.queue:
            queued.remaining = [name for name in queued.remaining if name in names]
        for channel in channels:
            for queued in self.queue:
                if channel.name not in queued.remaining:
                    continue
                try:
                    channel.send(queued.message)
                except ChannelFailed as fault:
                    faults.append(str(fault))
                    break
                queued.remaining.remove(channel.name)
                keep()
        self.queue = [queued for queued in self.queue if queued.remaining]
        return faults


@contextmanager
def opened(folder: Path, write_text: WriteText) -> Iterator[tuple[Outbox, Callable[[], None]]]:
    """The memory in a folder, for one looker at a time, and what keeps it; it is kept at the end in any case.

    A memory that cannot be read is set aside: then a problem may be told a second time, which is better than not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outbox = _read(folder / STATE)

        def keep() -> None:
            write_text(folder / STATE, json.dumps(asdict(outbox), indent=1) + "\n")

        try:
            yield outbox, keep
        finally:
            keep()


def _read(path: Path) -> Outbox:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Outbox(
            position=dict(kept["position"]),
            open={
                key: Problem(Alert(**problem["alert"]), problem["first_seen"], problem["last_told"])
                for key, problem in kept["open"].items()
            },
            queue=[Queued(_message(queued["message"]), list(queued["remaining"])) for queued in kept["queue"]],
            next_number=int(kept["next_number"]),
        )
    except FileNotFoundError:
        return Outbox()
    except (ValueError, TypeError, KeyError, AttributeError):
        path.replace(path.with_name("state.unreadable.json"))
        return Outbox()


def _message(kept: dict[str, Any]) -> Message:
    return Message(
        **kept
        | {
            "alerts": tuple(Alert(**alert) for alert in kept["alerts"]),
            "recovered": tuple(kept["recovered"]),
            "superseded": tuple(kept.get("superseded", ())),
        }
    )


@dataclass(frozen=True)
class Heartbeat:
    """The last look: when it was, how many problems were open, which sends failed."""

    beat_at: str
    count_open: int
    undelivered: tuple[str, ...]

    def age(self, now: datetime) -> timedelta:
        """How long ago the look was."""
        return now - datetime.fromisoformat(self.beat_at)


def read_heartbeat(folder: Path) -> Heartbeat | None:
    """The last look of a home; nothing before the first."""
    try:
        kept = json.loads((folder / HEARTBEAT).read_text(encoding="utf-8"))
        return Heartbeat(kept["beat_at"], kept["count_open"], tuple(kept["undelivered"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def beat(folder: Path, heartbeat: Heartbeat, write_text: WriteText) -> None:
    """Leave the sign that a look was made."""
    write_text(folder / HEARTBEAT, json.dumps(asdict(heartbeat), indent=1) + "\n")
