"""SIGKILL in every layer: readers never notice, and the next run gives the tables of an undisturbed night."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Any

import dagster as dg
from corner_shop import NIGHT, CornerShop, Seen

from dagster_project.dbt_runner import DbtRunner
from dagster_project.nightly import run_night
from dagster_project.publishing import versions
from dagster_project.settings import load_settings

# a server that has imported everything once; each night runs in a process forked from it
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(
    ["dagster_project.definitions", "dbt.cli.main", "dbt.adapters.duckdb", "expectations.runner", __name__]
)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_in(place: str, call: int) -> None:
    """Let the process be killed as a function, `module:name`, is called for the nth time."""
    module_name, name = place.split(":")
    module, calls = import_module(module_name), [0]
    original = getattr(module, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            _die()
        return original(*arguments, **named)

    setattr(module, name, counted)


def _die_as_dbt_reports(model: str) -> None:
    """Let the process be killed as dbt says that it has built a model."""
    build = DbtRunner.build

    def listened_to(self: DbtRunner, select: str, as_of: Any, on_line: Any = None) -> Any:
        return build(self, select, as_of, lambda line: _die() if model in line else None)

    DbtRunner.build = listened_to  # type: ignore[method-assign]


def _night(config: str, arrange: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """A night in a process of its own."""
    if arrange:
        arrange(*arguments)
    run_night(load_settings(config), NIGHT, instance=dg.DagsterInstance.ephemeral())


def night_in_a_fresh_process(
    shop: CornerShop, arrange: Callable[..., None] | None = None, *arguments: Any
) -> int | None:
    """How the night's process ended: 0, or the negative number of the signal that killed it."""
    process = FRESH.Process(target=_night, args=(str(shop.config), arrange, arguments))
    process.start()
    process.join(timeout=240)
    if process.is_alive():
        process.kill()
    return process.exitcode


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
        (_die_in, ("dagster_project.sources.landing:write_ledger", 1)),
        (_die_in, ("dagster_project.warehouse:write_atomically", 1)),
        (_die_as_dbt_reports, ("fct_orders",)),
        (_die_in, ("dagster_project.checks:record_checks", 2)),
        (_die_in, ("dagster_project.assets.models:replace_table", 2)),
        (_die_in, ("dagster_project.publishing.versions:point_to", 1)),
    ]:
        assert night_in_a_fresh_process(shop, arrange, *arguments) == -signal.SIGKILL, arguments
        assert shop.seen() == before, arguments
    assert night_in_a_fresh_process(shop) == 0
    after = shop.seen()
    # the version that was whole, but that readers were never pointed at, keeps its number
    assert after.version == "2025-12-30_003"
    del (
        before.hashes["quality.check_results"],
        after.hashes["quality.check_results"],
    )  # they count the row of later, too
    assert after.hashes == before.hashes


def test_a_killed_command_leaves_all_as_it_was(shop: CornerShop) -> None:
    before = shop.seen()
    killed_command(shop, at_line="checking raw tables")
    assert shop.seen() == before


def test_a_night_killed_in_its_report_was_published_and_running_it_again_changes_nothing(shop: CornerShop) -> None:
    before = shop.seen()
    report = ("dagster_project.reporting.report:write_report", 1)
    assert night_in_a_fresh_process(shop, _die_in, *report) == -signal.SIGKILL
    published = shop.seen()
    assert (published.version, published.hashes) == ("2025-12-30_002", before.hashes)
    landed = shop.landed()
    assert night_in_a_fresh_process(shop) == 0
    again = shop.seen()
    assert (again.version, again.hashes) == ("2025-12-30_003", before.hashes)
    assert shop.landed() == landed, "a night with no new files lands nothing"
    assert versions.rollback(shop.home / "published", before.version).version == before.version
    assert shop.seen() == before
