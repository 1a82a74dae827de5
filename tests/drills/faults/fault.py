"""The faults that may meet a night: each a line of a table, all under one mechanism.

What belongs here: what goes wrong, how it is brought about, what a night then says, what a person does about it. What
must hold afterwards stands in `test_faults.py`; how a night runs in a process of its own in `night_process.py`.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corner_shop import CornerShop
from night_process import (
    Arrange,
    before_step,
    call_in,
    die_as_dbt_reports,
    die_in,
    drop_privileges,
    limit_file_size,
    limit_memory,
    shift_clock,
)

OnShop = Callable[[CornerShop], None]
ENDS = r"\(readers still see 2025-12-30_\d{3}\)$"
"""How a night that failed ends what it says."""
DIES = ""
"""A night that is not asked to say anything: a starved process may be stopped by the system."""


def nothing(shop: CornerShop) -> None:
    """Nothing is damaged, or nothing has to be done."""


@dataclass(frozen=True)
class Fault:
    """One way in which a night is hurt.

    Args:
        name: a sentence, as the table of the drills shows it.
        says: what the night says, as a regular expression; None where it is to end well all the same.
        damage: done to the shop before the night.
        arrange: done in the night's process, with `arguments`.
        heal: what a person does before the next night.
        killed_after: the share of a whole night's work after which it is killed; none where it is not.
        is_short: whether it is drilled in every test run, too.
    """

    name: str
    says: str | None
    damage: OnShop = nothing
    arrange: Arrange | None = None
    arguments: tuple[Any, ...] = ()
    heal: OnShop = nothing
    killed_after: float | None = None
    is_short: bool = False


# -- damage and cures --------------------------------------------------------------------------------------------------


def scribble(path: str, seed: int = 3) -> None:
    """Overwrite a third of a file's blocks, its head spared, with noise."""
    chance, file = random.Random(seed), Path(path)  # noqa: S311
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    step = max(64, min(32_768, len(content) // 16))
    for begin in range(step, len(content) - step, step):
        if chance.random() < 1 / 3:
            content[begin : begin + step // 2] = chance.randbytes(step // 2)
    file.write_bytes(content)


def scribble_over_work(home: str) -> None:
    for file in ("warehouse.duckdb", "scratch.duckdb"):
        scribble(f"{home}/work/{file}")


def leave_damaged_work(shop: CornerShop) -> None:
    """What a killed night may leave: two files that are no databases, a log beside them, a build that nobody owns."""
    work = shop.home / "work"
    work.mkdir(exist_ok=True)
    for name in ("warehouse.duckdb", "scratch.duckdb", "warehouse.duckdb.wal", "scratch.duckdb.wal", "build.json"):
        (work / name).write_bytes(b"\x00no database\xff" * 1000)


def newest_landed(shop: CornerShop, table: str) -> Path:
    return max((shop.home / "landing" / "demo" / table).glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)


def damage_landed(shop: CornerShop) -> None:
    scribble(str(newest_landed(shop, "customers")))


def damage_landed_and_lose_its_file(shop: CornerShop) -> None:
    shop.configure(lambda settings: settings["sources"]["demo"]["tables"]["reviews"].update(is_optional=True))
    shutil.copy(newest_landed(shop, "reviews"), shop.root / "backup.parquet")
    (shop.deliveries / "reviews.parquet").rename(shop.root / "lost.parquet")
    scribble(str(newest_landed(shop, "reviews")))


def restore_landed_and_its_file(shop: CornerShop) -> None:
    (shop.root / "backup.parquet").replace(newest_landed(shop, "reviews"))
    (shop.root / "lost.parquet").rename(shop.deliveries / "reviews.parquet")
    shop.configure(lambda settings: None)


def keep_orders(shop: CornerShop) -> None:
    shutil.copy(shop.deliveries / "orders.csv", shop.root / "orders.whole")


def send_orders_again(shop: CornerShop) -> None:
    (shop.root / "orders.whole").replace(shop.deliveries / "orders.csv")


def cut(file: str) -> None:
    os.truncate(file, Path(file).stat().st_size // 2)


def lock_folder(folder: str) -> OnShop:
    return lambda shop: (shop.home / folder).chmod(0o555)


def unlock_folder(folder: str) -> OnShop:
    return lambda shop: (shop.home / folder).chmod(0o755)


def lock_work(shop: CornerShop) -> None:
    (shop.home / "work").mkdir(exist_ok=True)
    shop.home.chmod(0o555)


def little_engine_memory(shop: CornerShop) -> None:
    shop.configure(lambda settings: settings.update(engine={"memory_limit": "4MB"}))


def usual_settings(shop: CornerShop) -> None:
    shop.configure(lambda settings: None)


KILLED_AT: list[tuple[str, Arrange, tuple[Any, ...], bool]] = [
    ("it writes the ledger of what was landed", die_in, ("dagster_project.sources.landing:write_ledger", 1), True),
    ("it notes that its build has begun", die_in, ("dagster_project.warehouse:write_atomically", 1), False),
    ("dbt has built a mart", die_as_dbt_reports, ("fct_orders",), False),
    ("it records the checks of the marts", die_in, ("dagster_project.checks:record_checks", 2), False),
    ("it writes a table of the models", die_in, ("dagster_project.assets.models:replace_table", 2), False),
    ("it points readers at the version", die_in, ("dagster_project.publishing.versions:point_to", 1), True),
]
"""Moments in every layer, and whether every test run drills them: the first and the last are."""


def kills(count: int, seed: int) -> list[Fault]:
    """SIGKILL at random moments of a night."""
    chance = random.Random(seed)  # noqa: S311
    shares = [chance.random() for _ in range(count)]
    return [Fault(f"killed after {share:.0%} of its work", DIES, killed_after=share, is_short=True) for share in shares]


def faults_of(shop: CornerShop) -> list[Fault]:
    """All faults, for a shop whose paths some of them name."""
    home, orders = str(shop.home), str(shop.deliveries / "orders.csv")
    return [
        *(
            Fault(f"the process is killed as {moment}", DIES, arrange=arrange, arguments=arguments, is_short=is_short)
            for moment, arrange, arguments, is_short in KILLED_AT
        ),
        Fault(
            "the disk is full as files are landed",
            rf"^raw: .*{ENDS}",
            arrange=limit_file_size,
            arguments=(8_000,),
            is_short=True,
        ),
        Fault(
            "the disk is full as tables are built",
            rf"^(?!.*cannot parse).*{ENDS}",
            arrange=limit_file_size,
            arguments=(8_000_000,),  # the parsed project takes 3 MB, the tables 17
        ),
        Fault(
            "the disk is full as the version is published",
            rf"^publish__published_version: .*{ENDS}",
            arrange=before_step,
            arguments=("publish__published_version", limit_file_size, 1_000),
        ),
        Fault(
            "the landing folder is read-only",
            rf"^raw: .*Permission denied.*{ENDS}",
            damage=lock_folder("landing/demo/orders"),
            arrange=drop_privileges,
            heal=unlock_folder("landing/demo/orders"),
            is_short=True,
        ),
        Fault(
            "the folder of versions is read-only",
            rf"^publish__published_version: .*Permission denied.*{ENDS}",
            damage=lock_folder("published/versions"),
            arrange=drop_privileges,
            heal=unlock_folder("published/versions"),
        ),
        Fault(
            "the home is read-only",
            rf"^raw: .*Permission denied.*{ENDS}",
            damage=lock_work,
            arrange=drop_privileges,
            heal=unlock_folder(""),
            is_short=True,
        ),
        Fault(
            "what a killed night left of the work files is damaged",
            None,
            damage=leave_damaged_work,
        ),
        Fault(
            "the work files are damaged between two steps",
            DIES,
            arrange=before_step,
            arguments=("marts_checks", scribble_over_work, home),
        ),
        Fault(
            "a landed file is damaged, and its source file is still there",
            None,
            damage=damage_landed,
        ),
        Fault(
            "a landed file is damaged, and its source file is gone",
            rf"^raw: demo.reviews: .*is damaged or missing, and its file 'reviews.parquet' is gone .*{ENDS}",
            damage=damage_landed_and_lose_its_file,
            heal=restore_landed_and_its_file,
            is_short=True,
        ),
        Fault(
            "the clock is set back by a year",
            rf"^raw: demo.orders: the clock says .*set the clock right and run again {ENDS}",
            arrange=shift_clock,
            arguments=(-365,),
            is_short=True,
        ),
        Fault(
            "the source dies in the middle of a file",
            rf"^raw: demo.orders: file 'orders.csv' .*{ENDS}",
            damage=keep_orders,
            arrange=call_in,
            arguments=("dagster_project.sources.load_writer:_convert", 1, cut, orders),
            heal=send_orders_again,
            is_short=True,
        ),
        Fault(
            "the engine may use 4 MB of memory",
            rf"{ENDS}",
            damage=little_engine_memory,
            heal=usual_settings,
        ),
        Fault(
            "the process runs out of memory",
            DIES,
            arrange=before_step,
            arguments=("dbt_facts", limit_memory, 24_000_000),
        ),
    ]
