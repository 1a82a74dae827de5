"""What a night meets may stop it; it never touches what readers see, loses nothing, and the next night is whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import pytest
from corner_shop import CornerShop, Seen
from drill_report import IS_LONG, shown, write_section
from fault import Fault, faults_of, kills
from night_process import Ended, night, started_night

RANDOM_KILLS = 200 if IS_LONG else 1
KILLS_BETWEEN_NIGHTS = 10
SEED = 20_251_230
USUAL_CPU_SECONDS = 10.0
"""Of a whole night of the small shop, where none was measured yet."""


@dataclass
class HurtShop:
    """A shop that has met faults, what its readers saw last, and the processor time of a whole night of it."""

    shop: CornerShop
    seen: Seen
    length: float = USUAL_CPU_SECONDS

    def meets(self, fault: Fault) -> Ended:
        """A night under a fault: readers see what they saw, nothing that was landed is lost."""
        number = len(self.shop.landed())
        # a row of a day that the night does not see: something to land, and nothing that changes a table
        later = [f"later{number}", "c000001", "2026-01-02 12:00:00", *self.shop.row("orders.csv", 1)[3:]]
        self.shop.append("orders.csv", later)
        landed = {path: digest for path, digest in self.shop.landed().items() if path.endswith(".parquet")}
        fault.damage(self.shop)
        killed_after = None if fault.killed_after is None else fault.killed_after * self.length
        ended = night(self.shop, fault.arrange, *fault.arguments, killed_after=killed_after)
        fault.heal(self.shop)
        assert (ended.exitcode == 0) == (fault.says is None) or fault.killed_after, (fault.name, ended)
        assert re.search("^$" if fault.says is None else fault.says, ended.said), (fault.name, ended.said)
        now = self.shop.seen()
        if now.version != self.seen.version:  # it was as good as over
            assert fault.says is None or fault.killed_after, fault.name
            assert now.content == self.seen.content, fault.name
            self.seen = now
        assert now == self.seen, fault.name
        kept = self.shop.landed()
        assert {path: kept.get(path) for path in landed} == landed, fault.name
        return ended

    def runs(self) -> None:
        """A night that nothing hurts gives the tables that it always gave."""
        ended = night(self.shop)
        assert (ended.exitcode, ended.said) == (0, "")
        now = self.shop.seen()
        assert now.version > self.seen.version
        assert now.content == self.seen.content
        self.seen, self.length = now, ended.cpu_seconds


@pytest.fixture(scope="module")
def hurt(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> HurtShop:
    """One shop for all: after each fault it must be as if nothing had been."""
    shop = published_shop.copy_to(tmp_path_factory.mktemp("hurt") / "shop")
    return HurtShop(shop, shop.seen())


def test_no_fault_touches_readers_or_what_was_landed(hurt: HurtShop) -> None:
    outcomes = []
    for fault in faults_of(hurt.shop):
        if fault.is_short or IS_LONG:
            outcomes.append([fault.name, *how_it_ended(hurt.shop, hurt.meets(fault))])
        if IS_LONG:
            hurt.runs()
    told = f"{len(outcomes)} faults, each with a whole night after it."
    write_section("faults", ["what goes wrong", "the night ends in", "and says"], outcomes, told)


def test_no_moment_to_be_killed_at_touches_readers_and_the_next_night_is_whole(hurt: HurtShop) -> None:
    steps, whole = Counter[str](), 0
    for number, kill in enumerate(kills(RANDOM_KILLS, SEED)):
        ended = hurt.meets(kill)
        steps[ended.step if ended.exitcode else "it ended before it was killed"] += 1
        if (number + 1) % KILLS_BETWEEN_NIGHTS == 0 or number + 1 == RANDOM_KILLS:
            hurt.runs()
            whole += 1
    told = f"{RANDOM_KILLS} nights, and {whole} whole ones between."
    write_section("kills", ["killed in", "nights"], steps.most_common(), told)


def how_it_ended(shop: CornerShop, ended: Ended) -> tuple[str, str]:
    if ended.exitcode == 0:
        return ended.step, "nothing: it ends well"
    return ended.step, shown(shop.root, ended.said) or f"nothing: it dies of signal {-(ended.exitcode or 0)}"


@pytest.mark.skipif(not IS_LONG, reason="every test run has a second run refused while the first is killed")
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
    process.join(timeout=600)
    assert refused.exitcode == 1
    assert re.search(rf"^another run \(process {process.pid}\) holds .*; wait for it to end", refused.said)
    assert process.exitcode == 0
    assert shop.seen().content == seen.content
