"""SIGKILL in a command and after publishing: readers never notice. Kills in every layer are in `faults/`."""

from __future__ import annotations

import signal

import pytest
from corner_shop import CornerShop
from long_form import IS_LONG
from night_process import die_in, night

from dagster_project.publishing import versions


def killed_command(shop: CornerShop, at_line: str) -> None:
    """`loyalty run`, killed from outside as it says that a step has ended; a second run is refused meanwhile."""
    with shop.started("run") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if at_line in line:
                break
        refused = shop.command("run")
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert refused.returncode == 1
    assert f"error: another run (process {process.pid}) holds {shop.home}; wait for it to end" in refused.stderr


@pytest.mark.skipif(not IS_LONG, reason="two whole nights: drilled by `make drills`")
def test_a_night_killed_in_its_report_was_published_and_running_it_again_changes_nothing(shop: CornerShop) -> None:
    before = shop.seen()
    report = ("dagster_project.reporting.report:write_report", 1)
    assert night(shop, die_in, *report).exitcode == -signal.SIGKILL
    published, landed = shop.seen(), shop.landed()
    assert (published.version, published.hashes) == ("2025-12-30_002", before.hashes)
    assert night(shop).exitcode == 0
    again = shop.seen()
    assert (again.version, again.hashes) == ("2025-12-30_003", before.hashes)
    assert shop.landed() == landed, "a night with no new files lands nothing"
    assert versions.rollback(shop.home / "published", before.version).version == before.version
    assert shop.seen() == before


def test_a_killed_command_leaves_all_as_it_was(shop: CornerShop) -> None:
    before = shop.seen()
    killed_command(shop, at_line="checking raw tables")
    assert shop.seen() == before
