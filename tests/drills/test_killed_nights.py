"""SIGKILL in every layer: readers never notice, and the next run gives the tables of an undisturbed night."""

from __future__ import annotations

import signal

from corner_shop import CornerShop, Seen
from night_process import die_as_dbt_reports, die_in, night

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


def test_a_night_killed_in_each_layer_in_turn_never_touches_readers_and_the_next_one_ends(shop: CornerShop) -> None:
    before: Seen = shop.seen()
    shop.append("orders.csv", ["later", "c000001", "2026-01-02 12:00:00", *shop.row("orders.csv", 1)[3:]])
    for arrange, arguments in [
        (die_in, ("dagster_project.sources.landing:write_ledger", 1)),
        (die_in, ("dagster_project.warehouse:write_atomically", 1)),
        (die_as_dbt_reports, ("fct_orders",)),
        (die_in, ("dagster_project.checks:record_checks", 2)),
        (die_in, ("dagster_project.assets.models:replace_table", 2)),
        (die_in, ("dagster_project.publishing.versions:point_to", 1)),
    ]:
        assert night(shop, arrange, *arguments).exitcode == -signal.SIGKILL, arguments
        assert shop.seen() == before, arguments

    # killed in its report: it was published, and running it again changes nothing
    report = ("dagster_project.reporting.report:write_report", 1)
    assert night(shop, die_in, *report).exitcode == -signal.SIGKILL
    published, landed = shop.seen(), shop.landed()
    # the version that was whole, but that readers were never pointed at, keeps its number
    assert published.version == "2025-12-30_003"
    counted = "quality.check_results"  # counts the row of later, too
    assert {**published.hashes, counted: ""} == {**before.hashes, counted: ""}
    assert night(shop).exitcode == 0
    again = shop.seen()
    assert (again.version, again.hashes) == ("2025-12-30_004", published.hashes)
    assert shop.landed() == landed, "a night with no new files lands nothing"
    assert versions.rollback(shop.home / "published", before.version).version == before.version
    assert shop.seen() == before


def test_a_killed_command_leaves_all_as_it_was(shop: CornerShop) -> None:
    before = shop.seen()
    killed_command(shop, at_line="checking raw tables")
    assert shop.seen() == before
