"""What a night meets may stop it; it never touches what readers see, loses nothing, and the next night is whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from corner_shop import CornerShop, Seen
from drill_report import shown, write_section
from fault import DIES, FAILS_SOMEHOW, FAULTS, Fault, kills
from long_form import IS_LONG
from night_process import Ended, night, started_night
from outcome_record import OutcomeRecord

RANDOM_KILLS = 200 if IS_LONG else 1
SEED = 20_251_230
AIMS = 3
"""So many nights may end before they were to be killed; then the moment is left for another run of the drill."""
EARLIER = 0.98
USUAL_CPU_SECONDS = 35.0
"""Of a whole night of the small shop, where none was measured yet."""


@dataclass
class HurtShop:
    """A shop that has met faults, what its readers saw last, and the processor time of a whole night of it."""

    shop: CornerShop
    seen: Seen
    length: float = USUAL_CPU_SECONDS

    @classmethod
    def copy_of(cls, published: CornerShop, folder: Path) -> HurtShop:
        """A shop to which nothing has happened, beside the others that were hurt."""
        shop = published.copy_to(folder / f"shop{sum(1 for _ in folder.iterdir())}")
        return cls(shop, shop.seen())

    def is_killed_by(self, fault: Fault) -> Ended:
        """A night that is killed after a share of its work; one that ended before is no kill, and has said how long
        a night is: another is aimed at the same share of that, and a little earlier each time."""
        ended = self.meets(fault)
        for aim in range(1, AIMS):
            if ended.exitcode != 0:
                break
            self.length = ended.cpu_seconds
            ended = self.meets(replace(fault, killed_after=(fault.killed_after or 0) * EARLIER**aim))
        return ended

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
        assert fault.is_end(ended.exitcode), (fault.name, ended)
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


class HurtShops:
    """The shop that meets all faults, for after each it must be as if nothing had been; another where it is not.

    There is none, and no night was run for it, before the first is asked for.
    """

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request, self._folder = request, folder
        self._current: HurtShop | None = None

    @property
    def current(self) -> HurtShop:
        if self._current is None:
            self._current = HurtShop.copy_of(self._request.getfixturevalue("published_shop"), self._folder)
        return self._current

    def leave(self) -> None:
        """Let the current one lie for whoever looks into what it has met."""
        self._current = None


@pytest.fixture(scope="module")
def shops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HurtShops:
    return HurtShops(request, tmp_path_factory.mktemp("hurt"))


def drilled(faults: Sequence[Fault], record: OutcomeRecord, shops: HurtShops) -> dict[str, dict[str, Any]]:
    """What became of nights under these faults: of those on record, and of those that there is time for.

    In the long form a whole night follows each.
    """
    for name, fault in record.left({fault.name: fault for fault in faults}):
        hurt = shops.current
        nights = [outcome["night"] for outcome in record.outcomes().values() if "night" in outcome]
        hurt.length = median(nights) if nights else hurt.length
        try:
            ended = hurt.meets(fault) if fault.killed_after is None else hurt.is_killed_by(fault)
            if fault.killed_after is not None and ended.exitcode == 0:
                record.add(name, {"missed": f"{AIMS} nights ended before they were killed"})
                continue
            if IS_LONG:
                hurt.runs()
        except AssertionError as broken:
            record.add(name, {"failure": f"{broken}", "shop": f"{hurt.shop.root}"})
            shops.leave()
        else:
            step, said = how_it_ended(hurt.shop, ended)
            outcome = {"step": step, "said": said, "exitcode": ended.exitcode, "used": ended.cpu_seconds}
            record.add(name, outcome | {"night": hurt.length})
    known = record.outcomes()
    outcomes = {
        fault.name: known[fault.name] for fault in faults if fault.name in known and "missed" not in known[fault.name]
    }
    assert not {name: outcome for name, outcome in outcomes.items() if "failure" in outcome}
    if not outcomes:
        assert not known, "all nights were over before they were killed: aim earlier"
        pytest.skip("there was no time for any case, and none is on record: give the drill more DRILLS_MINUTES")
    return outcomes


def test_no_fault_touches_readers_or_what_was_landed(shops: HurtShops, tmp_path: Path) -> None:
    faults = [fault for fault in FAULTS if fault.is_short or IS_LONG]
    record = OutcomeRecord.of("faults", tmp_path)
    outcomes = drilled(faults, record, shops)
    told = f"{len(outcomes)} of {len(FAULTS)} faults, each with a whole night after it, on code `{record.code}`."
    rows = [(name, outcome["step"], outcome["said"]) for name, outcome in outcomes.items()]
    write_section("faults", ["what goes wrong", "the night ends in", "and says"], rows, told)


def test_no_moment_to_be_killed_at_touches_readers_and_the_next_night_is_whole(
    shops: HurtShops, tmp_path: Path
) -> None:
    record = OutcomeRecord.of("kills", tmp_path)
    outcomes = drilled(kills(RANDOM_KILLS, SEED), record, shops)
    if not IS_LONG:  # one whole night after all that this shop has met
        shops.current.runs()
    steps = Counter(outcome["step"] for outcome in outcomes.values())
    told = (
        f"{len(outcomes)} of {RANDOM_KILLS} nights that died, each with a whole one after it, on code `{record.code}`."
    )
    write_section("kills", ["killed in", "nights"], steps.most_common(), told)


def how_it_ended(shop: CornerShop, ended: Ended) -> tuple[str, str]:
    if ended.exitcode == 0:
        return ended.step, "nothing: it ends well"
    return ended.step, shown(shop.root, ended.said) or f"nothing: it dies of signal {-(ended.exitcode or 0)}"


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        (Fault("a night that is killed at a moment", DIES, killed_after=0.5), {0, -9}),
        (Fault("a night that dies in a function", DIES), {-9}),
        (Fault("a night that says what was wrong", r"^raw: .*"), {1}),
        (Fault("a night that ends well", None), {0}),
        (Fault("a night without memory", FAILS_SOMEHOW), {1, -6, -9, -11, None}),
    ],
    ids=lambda given: given.name if isinstance(given, Fault) else "",
)
def test_a_night_that_ends_in_another_way_than_its_fault_explains_is_a_failure(
    fault: Fault, ends: set[int | None]
) -> None:
    assert {exitcode for exitcode in (0, 1, -6, -9, -11, None) if fault.is_end(exitcode)} == ends


def test_a_night_that_was_over_before_its_kill_is_no_kill_and_the_next_is_aimed_earlier(tmp_path: Path) -> None:
    class Scripted(HurtShop):
        """Nights of 30 processor seconds, which meet nothing."""

        def __init__(self, length: float) -> None:
            super().__init__(CornerShop(tmp_path), Seen("", "", {}), length)
            self.aims: list[float] = []

        def meets(self, fault: Fault) -> Ended:
            self.aims.append((fault.killed_after or 0) * self.length)
            return Ended(0 if self.aims[-1] >= 30 else -9, "", "raw", min(30, self.aims[-1]))

    late = Fault("killed late", DIES, killed_after=0.9)
    in_time, too_late, never = Scripted(20), Scripted(40), Scripted(40)
    assert in_time.is_killed_by(late).exitcode == -9
    assert too_late.is_killed_by(late).exitcode == -9
    assert never.is_killed_by(replace(late, killed_after=1.1)).exitcode == 0
    assert in_time.aims == [18]
    assert too_late.aims == pytest.approx([36, 0.9 * 0.98 * 30])
    assert len(never.aims) == 3


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
