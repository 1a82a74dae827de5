"""The faults that may meet a night: each an entry of a table, all under one mechanism.

What belongs here: what goes wrong, how it is brought about, what a night then says, what a person does about it. What
must hold afterwards stands in `test_faults.py`; what is broken in `damage.py`; how a night runs in a process of its own
in `night_process.py`.
"""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import Any

from damage import (
    OnShop,
    cut,
    damage_landed,
    damage_landed_and_lose_its_file,
    keep_orders,
    leave_damaged_work,
    little_engine_memory,
    lock_folder,
    lock_work,
    nothing,
    restore_landed_and_its_file,
    scribble_over_work,
    send_orders_again,
    unlock_folder,
    usual_settings,
)
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

ENDS = r"\(readers still see 2025-12-30_\d{3}\)$"
"""How a night that failed ends what it says."""
DIES = "^$"
"""What a night says that is killed: nothing."""
FAILS_SOMEHOW = ""
"""Anything: a process without memory, or with noise for a file, may be stopped by the system before it can speak."""


@dataclass(frozen=True)
class Fault:
    """One way in which a night is hurt.

    Args:
        name: a sentence, as the table of the drills shows it.
        says: what the night says, as a regular expression; None where it is to end well all the same. How its process
            is to end follows from it.
        damage: done to the shop before the night.
        arrange: done in the night's process, with `arguments`; paths are from the shop's folder, which it runs in.
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

    def is_end(self, exitcode: int | None) -> bool:
        """Whether a night under this fault may end with this exit code: a fault of another kind is no end of it.

        A night that is killed from outside may have been over by then.
        """
        if self.killed_after is not None:
            return exitcode in (0, -signal.SIGKILL)
        if self.says == FAILS_SOMEHOW:
            return exitcode != 0
        return exitcode == {None: 0, DIES: -signal.SIGKILL}.get(self.says, 1)


def kills(count: int, seed: int) -> list[Fault]:
    """SIGKILL at random moments of a night: one in each of `count` equal parts of its work, the parts in random order.

    So however many of them were drilled, they are spread over the whole night.
    """
    chance = random.Random(seed)  # noqa: S311
    shares = [(part + chance.random()) / count for part in chance.sample(range(count), count)]
    return [Fault(f"killed after {share:.2%} of its work", DIES, killed_after=share) for share in shares]


FAULTS = [
    Fault(
        "the process is killed as it writes the ledger of what was landed",
        DIES,
        arrange=die_in,
        arguments=("dagster_project.sources.landing:write_ledger", 1),
        is_short=True,
    ),
    Fault(
        "the process is killed as it notes that its build has begun",
        DIES,
        arrange=die_in,
        arguments=("dagster_project.warehouse:write_atomically", 1),
    ),
    Fault("the process is killed as dbt has built a mart", DIES, arrange=die_as_dbt_reports, arguments=("fct_orders",)),
    Fault(
        "the process is killed as it records the checks of the marts",
        DIES,
        arrange=die_in,
        arguments=("dagster_project.checks:record_checks", 2),
    ),
    Fault(
        "the process is killed as it writes a table of the models",
        DIES,
        arrange=die_in,
        arguments=("dagster_project.assets.models:replace_table", 2),
    ),
    Fault(
        "the process is killed as it points readers at the version",
        DIES,
        arrange=die_in,
        arguments=("dagster_project.publishing.versions:point_to", 1),
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
    Fault("what a killed night left of the work files is damaged", None, damage=leave_damaged_work),
    Fault(
        "the work files are damaged between two steps",
        FAILS_SOMEHOW,
        arrange=before_step,
        arguments=("marts_checks", scribble_over_work),
    ),
    Fault("a landed file is damaged, and its source file is still there", None, damage=damage_landed),
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
        arguments=("dagster_project.sources.load_writer:_convert", 1, cut, "deliveries/orders.csv"),
        heal=send_orders_again,
        is_short=True,
    ),
    Fault("the engine may use 4 MB of memory", rf"{ENDS}", damage=little_engine_memory, heal=usual_settings),
    Fault(
        "the process runs out of memory",
        FAILS_SOMEHOW,
        arrange=before_step,
        arguments=("dbt_facts", limit_memory, 24_000_000),
    ),
]
