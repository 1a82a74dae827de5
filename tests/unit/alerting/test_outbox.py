"""What is said once, again, and when it is over; what a channel that is away gets later; what a killed look repeats."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dagster_project.alerting.channels import ChannelFailed
from dagster_project.alerting.messages import Alert, Ending, Message
from dagster_project.alerting.outbox import Heartbeat, Outbox, beat, opened, read_heartbeat
from dagster_project.durable_files import write_atomically

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
ILL, SHAKY = Alert("a", "a is ill", "cure a"), Alert("b", "b is shaky", "look at b", "warning")
DAY = dt.timedelta(days=1)


@dataclass
class Recorder:
    """A channel that keeps what it is sent, and fails while it is away."""

    name: str
    is_away: bool = False
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.is_away:
            raise ChannelFailed(f"{self.name} is away")
        self.sent.append(message)


def note(
    outbox: Outbox,
    *alerts: Alert,
    hours: float = 0,
    over: Callable[[str], bool] = lambda _: False,
    ending: Ending = "well again",
    superseded: Sequence[str] = (),
) -> list[str]:
    """What is told of these problems some hours after noon."""
    message = outbox.note(
        "Shop",
        alerts,
        superseded,
        lambda key: ending if over(key) else None,
        ["x", "y"],
        NOON + dt.timedelta(hours=hours),
        DAY,
    )
    if message is None:
        return []
    return [
        *(alert.title for alert in message.alerts),
        *(f"over: {title}" for title in message.recovered),
        *(f"overtaken: {title}" for title in message.superseded),
    ]


def test_a_problem_is_told_once_while_it_lasts() -> None:
    outbox = Outbox()
    assert note(outbox, SHAKY, ILL) == ["a is ill", "b is shaky"]
    assert note(outbox, ILL, SHAKY, hours=1) == []
    assert note(outbox, hours=2) == []


def test_only_a_critical_problem_is_told_again_after_a_while() -> None:
    outbox = Outbox()
    note(outbox, ILL, SHAKY)
    assert note(outbox, hours=23.9) == []
    assert note(outbox, hours=24) == ["a is ill"]
    assert note(outbox, hours=30) == []


def test_what_is_over_is_told_once_and_is_new_when_it_comes_back() -> None:
    outbox = Outbox()
    note(outbox, ILL, SHAKY)
    assert note(outbox, hours=1, over=lambda key: key == "a") == ["over: a is ill"]
    assert note(outbox, hours=2, over=lambda key: key == "a") == []
    assert note(outbox, ILL, hours=3) == ["a is ill"]


def test_what_was_overtaken_is_told_once_as_that_whether_it_was_known_or_not() -> None:
    outbox = Outbox()
    note(outbox, ILL)
    said = note(outbox, hours=1, over=lambda key: key == "a", ending="superseded", superseded=["c was ill"])
    assert said == ["overtaken: c was ill", "overtaken: a is ill"]
    assert note(outbox, hours=48) == []
    assert outbox.open == {}


def test_what_is_seen_is_not_over() -> None:
    outbox = Outbox()
    note(outbox, ILL)
    assert note(outbox, ILL, hours=1, over=lambda _: True) == []


def test_a_channel_that_was_away_gets_everything_later_in_order_and_the_other_nothing_twice() -> None:
    outbox, there, away = Outbox(), Recorder("x"), Recorder("y", is_away=True)
    note(outbox, ILL)
    note(outbox, SHAKY)
    assert outbox.deliver([there, away], lambda: None) == ["y is away"]
    assert [message.number for message in there.sent] == [1, 2]
    away.is_away = False
    assert outbox.deliver([there, away], lambda: None) == []
    assert [message.number for message in away.sent] == [1, 2]
    assert len(there.sent) == 2
    assert outbox.queue == []


def test_a_channel_that_left_the_settings_is_forgotten() -> None:
    outbox = Outbox()
    note(outbox, ILL)
    outbox.deliver([Recorder("x")], lambda: None)
    assert outbox.queue == []


def test_the_memory_survives_on_disk_and_a_look_killed_between_channels_repeats_nothing_sent(tmp_path: Path) -> None:
    first, second = Recorder("x"), Recorder("y")

    def killed(_: Message) -> None:
        raise KeyboardInterrupt

    second.send = killed  # type: ignore[method-assign]
    with opened(tmp_path, write_atomically) as (outbox, keep):
        note(outbox, ILL)
        with pytest.raises(KeyboardInterrupt):
            outbox.deliver([first, second], keep)
    with opened(tmp_path, write_atomically) as (outbox, keep):
        assert note(outbox, ILL) == []
        third = Recorder("y")
        assert outbox.deliver([first, third], keep) == []
    assert [len(channel.sent) for channel in (first, third)] == [1, 1]
    assert third.sent == first.sent


def test_an_unreadable_memory_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with opened(tmp_path, write_atomically) as (outbox, _):
        assert outbox.open == {}
    assert (tmp_path / "state.unreadable.json").read_text(encoding="utf-8") == "{"


def test_the_heartbeat_says_how_long_ago_the_last_look_was(tmp_path: Path) -> None:
    assert read_heartbeat(tmp_path) is None
    beat(tmp_path, Heartbeat(NOON.isoformat(), 2, ("y is away",)), write_atomically)
    found = read_heartbeat(tmp_path)
    assert found is not None
    assert (found.count_open, found.undelivered) == (2, ("y is away",))
    assert found.age(NOON + dt.timedelta(minutes=3)) == dt.timedelta(minutes=3)
