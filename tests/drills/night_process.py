"""Nights in processes of their own, which can be hurt, starved and killed, and what became of them.

What belongs here: starting such a night, killing it, and what to arrange in its process before it runs. Which faults
there are and what must hold after them stands in the tests.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
from corner_shop import NIGHT, CornerShop

from dagster_project.dbt_runner import DbtRunner
from dagster_project.nightly import NightFailed, run_night
from dagster_project.settings import load_settings
from dagster_project.warehouse import WarehouseError

# a server that has imported everything once; each night runs in a process forked from it
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(
    ["dagster_project.definitions", "dbt.cli.main", "dbt.adapters.duckdb", "expectations.runner", __name__]
)
PATIENCE_SECONDS = 600
TICKS = os.sysconf("SC_CLK_TCK")
CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3 of capset(2)

Arrange = Callable[..., None]


@dataclass(frozen=True)
class Ended:
    """How a night's process ended.

    `exitcode` is 0, 1 for a night that failed and said so, or the negative number of the signal that killed it; `step`
    the last step that began; `cpu_seconds` what the process had used when it was last looked at.
    """

    exitcode: int | None
    said: str
    step: str
    cpu_seconds: float


def night(
    shop: CornerShop, arrange: Arrange | None = None, *arguments: Any, killed_after: float | None = None
) -> Ended:
    """A night of the shop in a fresh process, to its end.

    Args:
        shop: the shop.
        arrange: called with the arguments in the night's process before it begins.
        arguments: must survive a pickle.
        killed_after: CPU seconds of the night after which it gets SIGKILL, wherever it is then.
    """
    process, notes = started_night(shop, arrange, *arguments)
    began, used = None, 0.0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.is_alive() and time.monotonic() < deadline:
        used = max(used, _cpu_seconds(process.pid))
        began = used if began is None else began
        if killed_after is not None and used - began >= killed_after:
            process.kill()
            break
        process.join(timeout=0.005)
    process.join(timeout=60)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"a night of {shop.root} did not end within {PATIENCE_SECONDS} seconds")
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    steps = [line.removeprefix("step ") for line in lines if line.startswith("step ")]
    said = [line.removeprefix("said ") for line in lines if line.startswith("said ")]
    return Ended(process.exitcode, "".join(said), steps[-1] if steps else "start", used - (began or 0.0))


def started_night(shop: CornerShop, arrange: Arrange | None = None, *arguments: Any) -> tuple[Any, Path]:
    """A night at work, and the file into which it notes its steps and what it says at its end."""
    notes = shop.root / "night.txt"
    notes.unlink(missing_ok=True)
    process = FRESH.Process(target=_run, args=(str(shop.config), str(notes), arrange, arguments))
    process.start()
    return process, notes


def _run(config: str, notes: str, arrange: Arrange | None, arguments: tuple[Any, ...]) -> None:
    os.chdir(Path(config).parent)
    with Path(notes).open("a", encoding="utf-8", buffering=1) as noted:
        if arrange:
            arrange(*arguments)

        def on_step(name: str, state: str, _: float) -> None:
            if state == "started":
                print(f"step {name}", file=noted)
                BEFORE_STEP.get(name, _nothing)()

        try:
            run_night(load_settings(config), NIGHT, on_step, dg.DagsterInstance.ephemeral())
        except (NightFailed, WarehouseError) as fault:
            print(f"said {fault}", file=noted)
            sys.exit(1)


def _cpu_seconds(pid: int | None) -> float:
    """User and system time of a process so far; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _nothing() -> None:
    """What happens before a step unless something was arranged."""


# -- what may be arranged in the night's process -----------------------------------------------------------------------

BEFORE_STEP: dict[str, Callable[[], None]] = {}
"""Called in the night's process as a step of this name begins."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def call_in(place: str, call: int, action: Callable[..., None], *arguments: Any) -> None:
    """Let an action be taken as a function, `module:name`, is called for the nth time, before it does anything."""
    module_name, name = place.split(":")
    module, calls = import_module(module_name), [0]
    original = getattr(module, name)

    def counted(*given: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            action(*arguments)
        return original(*given, **named)

    setattr(module, name, counted)


def die_in(place: str, call: int) -> None:
    """Let the process be killed as a function, `module:name`, is called for the nth time."""
    call_in(place, call, die)


def die_as_dbt_reports(model: str) -> None:
    """Let the process be killed as dbt says that it has built a model."""
    build = DbtRunner.build

    def listened_to(self: DbtRunner, select: str, as_of: Any, on_line: Any = None) -> Any:
        return build(self, select, as_of, lambda line: die() if model in line else None)

    DbtRunner.build = listened_to  # type: ignore[method-assign]


def before_step(name: str, action: Callable[..., None], *arguments: Any) -> None:
    """Let an action be taken as a step begins, when no step has the build open."""
    BEFORE_STEP[name] = lambda: action(*arguments)


def limit_file_size(size: int) -> None:
    """Let every write beyond this many bytes of a file fail, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(more: int) -> None:
    """Let the process have this many bytes of address space more than it has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def drop_privileges() -> None:
    """Give up every capability, so that the modes of folders bind root, too."""
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def shift_clock(days: int) -> None:
    """Let the clock that landing and publishing read be some days off."""
    import datetime as dt
    from types import SimpleNamespace

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.now(tz) + dt.timedelta(days=days)

    shifted = SimpleNamespace(**{**vars(dt), "datetime": Shifted})
    for module in ("raw", "publish"):
        import_module(f"dagster_project.assets.{module}").dt = shifted  # type: ignore[attr-defined]
