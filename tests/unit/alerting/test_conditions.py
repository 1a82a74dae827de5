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
    ("run", "said"),
    [
        (None, "no run of it was ever begun: is the schedule on, and is the Dagster daemon alive?"),
        ("FAILURE", "its run failed: cure that and run the night again."),
        ("NOT_STARTED", "its run is not started: look at its steps"),
    ],
)
def test_a_late_night_is_told_with_what_became_of_its_run_and_what_readers_see(run: str | None, said: str) -> None:
    alert = late_night(NIGHT, NOON, BEFORE, run)
    assert alert.text.startswith(f"It was due at 2026-01-02 12:00 UTC, and {said}")
    assert "Readers still see 2025-12-31 at the latest." in alert.text
    assert alert.key == "night_is_late:2026-01-01"
