"""Nights that did not come and feeds that have gone quiet, judged at given moments."""

from __future__ import annotations

import datetime as dt

import pytest

from dagster_project.alerting.conditions import Feed, late_night, stale_feeds

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
NIGHT, BEFORE = dt.date(2026, 1, 1), dt.date(2025, 12, 31)


def test_only_a_feed_that_is_quiet_for_longer_than_its_limit_is_stale() -> None:
    feeds = [
        Feed("till.orders", NOON - dt.timedelta(hours=36, seconds=1), 36),
        Feed("till.refunds", NOON - dt.timedelta(hours=36), 36),
        Feed("till.products", NOON - dt.timedelta(days=400), None),
        Feed("till.reviews", None, 36),
    ]
    [alert] = stale_feeds(feeds, NOON)
    assert (alert.key, alert.severity) == ("feed_is_stale:till.orders", "warning")
    assert "landed 36 hours ago, at 2025-12-31 23:59 UTC; expected one every 36 hours" in alert.text


@pytest.mark.parametrize(
    ("published", "run", "now", "said"),
    [
        (BEFORE, None, NOON, "no run of it was ever begun: is the schedule on, and is the Dagster daemon alive?"),
        (BEFORE, "FAILURE", NOON, "its run failed: cure that and run the night again."),
        (BEFORE, "NOT_STARTED", NOON, "its run is not started: look at its steps"),
        (BEFORE, None, NOON - dt.timedelta(seconds=1), None),
        (NIGHT, None, NOON, None),
        (None, None, NOON, None),
    ],
)
def test_a_night_is_late_once_it_is_due_and_not_published(
    published: dt.date | None, run: str | None, now: dt.datetime, said: str | None
) -> None:
    alert = late_night(NIGHT, NOON, now, published, run)
    assert (alert is None) == (said is None)
    if alert is not None and said is not None:
        assert said in alert.text
        assert alert.key == "night_is_late:2026-01-01"
