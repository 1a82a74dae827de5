"""What a night meets may stop it; it never touches what readers see, loses nothing, and the next night is whole."""

from __future__ import annotations

import os
import random
import re
from collections import Counter

import pytest
from corner_shop import CornerShop, Seen
from drill_report import IS_LONG, shown, write_section
from fault import faults_of
from night_process import Ended, night, started_night

RANDOM_KILLS = int(os.environ.get("KILLS", "200")) if IS_LONG else 2
KILLS_BETWEEN_NIGHTS = 10
SEED = 20_251_230
COUNTS_RAW_ROWS = "quality.check_results"
"""What the checks observed counts every row delivered so far, those that a past night does not see, too."""


def content(seen: Seen) -> dict[str, str]:
    return {table: found for table, found in seen.hashes.items() if table != COUNTS_RAW_ROWS}


def send_a_later_order(shop: CornerShop) -> None:
    """A row of a day that the night does not see: something to land, and nothing that changes a table."""
    number = len(shop.landed())
    shop.append("orders.csv", [f"later{number}", "c000001", "2026-01-02 12:00:00", *shop.row("orders.csv", 1)[3:]])


@pytest.fixture(scope="module")
def hurt_shop(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> CornerShop:
    """One shop for all faults: after each it must be as if nothing had been."""
    return published_shop.copy_to(tmp_path_factory.mktemp("hurt") / "shop")


def how_it_ended(shop: CornerShop, ended: Ended) -> str:
    if ended.exitcode == 0:
        return "ends well"
    return shown(shop.root, ended.said) or f"stopped by the system, signal {-(ended.exitcode or 0)}"


def require_untouched(shop: CornerShop, before: Seen, landed: dict[str, str]) -> None:
    """Readers see the version that they saw, byte for byte, and nothing that was landed is lost."""
    assert shop.seen() == before
    now = shop.landed()
    assert {path: now.get(path) for path in landed if path.endswith(".parquet")} == {
        path: digest for path, digest in landed.items() if path.endswith(".parquet")
    }


def require_whole_night(shop: CornerShop, before: Seen) -> Seen:
    """The next night ends, and gives the tables of an undisturbed one."""
    ended = night(shop)
    assert (ended.exitcode, ended.said) == (0, "")
    after = shop.seen()
    assert after.version > before.version
    assert content(after) == content(before)
    return after


def test_no_fault_touches_readers_and_the_next_night_is_whole(hurt_shop: CornerShop) -> None:
    seen, outcomes = hurt_shop.seen(), []
    for fault in faults_of(hurt_shop):
        if not (fault.is_short or IS_LONG):
            continue
        send_a_later_order(hurt_shop)
        landed = hurt_shop.landed()
        fault.damage(hurt_shop)
        ended = night(hurt_shop, fault.arrange, *fault.arguments)
        fault.heal(hurt_shop)
        if fault.says is None:
            assert (ended.exitcode, ended.said) == (0, ""), fault.name
            assert content(hurt_shop.seen()) == content(seen), fault.name
            seen = hurt_shop.seen()
        else:
            assert ended.exitcode not in (0, None), fault.name
            assert re.search(fault.says, ended.said), (fault.name, ended.said)
            require_untouched(hurt_shop, seen, landed)
        outcomes.append([fault.name, ended.step, how_it_ended(hurt_shop, ended)])
        if IS_LONG:
            seen = require_whole_night(hurt_shop, seen)
    require_whole_night(hurt_shop, seen)
    told = f"{len(outcomes)} faults; after each, readers' version intact, nothing lost, the next night whole."
    write_section("faults", ["what goes wrong", "the night stops in", "and says"], outcomes, told)


def test_of_two_runs_at_once_one_is_refused_and_the_other_is_whole(shop: CornerShop) -> None:
    seen = shop.seen()
    process, notes = started_night(shop)
    while not (notes.exists() and "step raw_checks" in notes.read_text(encoding="utf-8")):
        process.join(timeout=0.05)
        assert process.is_alive(), "the first run ended before the second began"
    other = CornerShop(shop.root / "second")
    other.root.mkdir()
    other.config.write_bytes(shop.config.read_bytes())
    refused = night(other)
    process.join(timeout=240)
    assert refused.exitcode == 1
    assert re.search(rf"^another run \(process {process.pid}\) holds .*; wait for it to end", refused.said)
    assert process.exitcode == 0
    assert content(shop.seen()) == content(seen)


def test_a_night_killed_at_any_moment_never_touches_readers(shop: CornerShop) -> None:
    seen, chance = shop.seen(), random.Random(SEED)  # noqa: S311
    whole = night(shop)
    assert whole.exitcode == 0
    seen, steps, length = shop.seen(), Counter[str](), whole.cpu_seconds
    for kill in range(RANDOM_KILLS):
        if kill % KILLS_BETWEEN_NIGHTS == 0:
            send_a_later_order(shop)
        landed = shop.landed()
        ended = night(shop, killed_after=chance.uniform(0, length))
        steps[ended.step if ended.exitcode else "ended before it was killed"] += 1
        assert ended.exitcode in (0, -9)
        if shop.seen().version == seen.version:
            require_untouched(shop, seen, landed)
        else:  # it had published, and was killed as it wrote its report or later
            assert content(shop.seen()) == content(seen)
        if ended.exitcode == 0:
            length = min(length, ended.cpu_seconds)
        seen = shop.seen()
        if (kill + 1) % KILLS_BETWEEN_NIGHTS == 0 or kill + 1 == RANDOM_KILLS:
            seen = require_whole_night(shop, seen)
    told = (
        f"{RANDOM_KILLS} nights killed at random moments; {RANDOM_KILLS // KILLS_BETWEEN_NIGHTS} whole nights between."
    )
    write_section("kills", ["killed in", "nights"], steps.most_common(), told)
