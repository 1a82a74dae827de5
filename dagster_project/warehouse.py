"""The one place that opens DuckDB: the build of a night.

A build is two files under `work/`: `warehouse.duckdb`, which holds the public schemas only and *becomes* the published
version by a rename, and `scratch.duckdb`, which holds raw views, staging, quarantine and intermediate tables and stays.
What does not belong here: what is in the tables (dbt), how one is replaced (`replaced_tables`), and versions for
readers (`publishing`).
"""

from __future__ import annotations

import datetime as dt
import fcntl
import gc
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import duckdb

from dagster_project.durable_files import create_once, write_atomically
from dagster_project.settings import Settings
from dagster_project.sql_text import literal

STORAGE_VERSION = "v1.5.0"  # readable by clients of DuckDB's long-term line
PUBLIC_SCHEMAS = ("marts", "models", "quality")
VALUE_ERRORS = re.compile("Conversion Error|Invalid Input Error|Out of Range Error|Constraint Error")
INSTANT, INSTANTS = 0.05, 5  # seconds, and how often a lock is tried before it counts as held by a run
SCRATCH_SCHEMAS = ("raw", "staging", "quarantine", "intermediate", "seeds")


class WarehouseError(RuntimeError):
    """The build cannot be used; the message says what was found, what was expected and what to do."""


@dataclass(frozen=True)
class Build:
    """Which night the work files hold, and under which settings they were begun."""

    as_of: str
    settings: str
    run: str


class Warehouse:
    """The work files of one `LOYALTY_HOME`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home
        self.work = settings.home / "work"
        self.path = self.work / "warehouse.duckdb"
        self.scratch_path = self.work / "scratch.duckdb"
        self._lock_path = self.home / "run.lock"
        self._build_path = self.work / "build.json"
        self._became_path = self.work / "became"

    # -- a night's build -------------------------------------------------------------------------------------------

    def begin(self, as_of: dt.date, raw_views: Mapping[str, str], run: str) -> None:
        """Start the build of a night in new, empty files; what an earlier build left behind is removed.

        Args:
            as_of: the business day that the build describes.
            raw_views: view name in schema `raw` → the SELECT that it stands for.
            run: the run that owns the build.

        Raises:
            WarehouseError: the work files cannot be replaced.
        """
        gc.collect()  # DuckDB waits for ever to attach a file that a failed night of this process still has open
        try:
            if self.work.exists():
                shutil.rmtree(self.work)
            self.work.mkdir(parents=True)
        except OSError as fault:
            raise WarehouseError(
                f"the build in {self.work} cannot be replaced: {fault.strerror}; let this user write there, or give "
                "the run another LOYALTY_HOME"
            ) from fault
        with duckdb.connect() as con:
            for name, path in (("warehouse", self.path), ("scratch", self.scratch_path)):
                con.execute(f"attach {literal(path)} as {name} (storage_version {literal(STORAGE_VERSION)})")
            for schema in PUBLIC_SCHEMAS:
                con.execute(f"create schema warehouse.{schema}")
            for schema in SCRATCH_SCHEMAS:
                con.execute(f"create schema scratch.{schema}")
            for name, select in raw_views.items():
                con.execute(f"create view scratch.raw.{identifier(name)} as {select}")
        build = Build(as_of=as_of.isoformat(), settings=self.settings.fingerprint(), run=run)
        write_atomically(self._build_path, json.dumps(asdict(build)))

    def build(self) -> Build | None:
        """The build that the work files hold, or nothing."""
        if not (self._build_path.exists() and self.path.exists() and self.scratch_path.exists()):
            return None
        return Build(**json.loads(self._build_path.read_text(encoding="utf-8")))

    def require(self, as_of: dt.date) -> Build:
        """The build of this night.

        Raises:
            WarehouseError: there is none, it is of another night, or it was begun under other settings.
        """
        build = self.build()
        cure = f"materialise this night from the raw layer on, or run `loyalty run --as-of {as_of}`"
        if build is None:
            raise WarehouseError(f"no build is in progress in {self.work}; {cure}")
        if build.as_of != as_of.isoformat():
            raise WarehouseError(f"the build in {self.work} is of {build.as_of}, expected {as_of}; {cure}")
        if build.settings != self.settings.fingerprint():
            raise WarehouseError(f"the build of {as_of} was begun under other settings; {cure}")
        return build

    def end(self, version: str) -> None:
        """Forget the build, which has become a version; its scratch file stays, to tell what that was made of."""
        write_atomically(self._became_path, version)
        self._build_path.unlink(missing_ok=True)

    def scratch_of(self, version: str) -> Path | None:
        """The scratch file that a version was made beside; None once another night has been begun."""
        became = self._became_path.read_text(encoding="utf-8") if self._became_path.exists() else None
        return self.scratch_path if became == version and self.scratch_path.exists() else None

    # -- connections -----------------------------------------------------------------------------------------------

    def engine_config(self) -> dict[str, Any]:
        """The one connection configuration of this process, dbt's included: DuckDB refuses a second one."""
        config: dict[str, Any] = {}
        if self.settings.engine.threads:
            config["threads"] = self.settings.engine.threads
        if self.settings.engine.memory_limit:
            config["memory_limit"] = self.settings.engine.memory_limit
        return config

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """An open connection to the build: `marts.x` is the public file, `scratch.staging.x` the scratch file."""
        with duckdb.connect(str(self.path), config=self.engine_config()) as con:
            con.execute(f"attach if not exists {literal(self.scratch_path)} as scratch")
            yield con

    def settle(self) -> None:
        """Write down what the log of the build still holds, so that its file is whole and may be moved.

        The last connection to close does that; one in a cycle of references, which only the garbage collector closes,
        keeps the log for as long as it likes.
        """
        gc.collect()
        with duckdb.connect(str(self.path), config=self.engine_config()) as con:
            con.execute("checkpoint")

    def secret(self) -> str:
        """The key of all keyed hashes; see `shop_key`."""
        return shop_key(self.home)

    def is_held(self) -> bool:
        """Whether a process holds this home now; the number in the file may be of one that ended, or of another since.

        It takes the lock for an instant, which `exclusive` waits out.
        """
        try:
            with self._lock_path.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold this home for one run; the operating system lets go of it when the process ends, however it ends.

        Raises:
            WarehouseError: another run holds it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with self._lock_path.open("a+", encoding="utf-8") as handle:
            if not _is_locked_now(handle):
                handle.seek(0)
                raise WarehouseError(
                    f"another run ({handle.read().strip() or 'unknown process'}) holds {self.home}; "
                    "wait for it to end, or give this one another LOYALTY_HOME"
                )
            handle.truncate(0)
            handle.write(f"process {os.getpid()}")
            handle.flush()
            yield


def _is_locked_now(handle: IO[str]) -> bool:
    """Whether the lock of a home is ours; who only looks at it (`is_held`) has it for an instant."""
    for _ in range(INSTANTS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(INSTANT)
        else:
            return True
    return False


def shop_key(home: Path) -> str:
    """The key of all keyed hashes: `LOYALTY_KEY`, else one made once in `LOYALTY_HOME`, mode 0600.

    Raises:
        WarehouseError: the file that should hold it is empty.
    """
    given = os.environ.get("LOYALTY_KEY")
    if given:
        return given
    path = home / "customer_key.secret"
    key = path.read_text(encoding="utf-8") if path.exists() else create_once(path, secrets.token_hex(32), mode=0o600)
    if not key.strip():
        raise WarehouseError(
            f"{path} is empty; expected the key of all keyed hashes: restore it from a backup, or remove {home} and "
            "land everything anew under a new one"
        )
    return key


def identifier(name: str) -> str:
    """A name that may stand in SQL unquoted.

    Raises:
        WarehouseError: it may not.
    """
    if not re.fullmatch("[a-z_][a-z0-9_]*", name):
        raise WarehouseError(f"'{name}' cannot be a name in the warehouse; use lower-case letters, digits and _")
    return name


def without_values(message: object) -> str:
    """An error message on one line, its quoted values left out: those of a cast that failed come from rows."""
    line = " ".join(str(message).split())
    return re.sub(r"'[^']*'", "'...'", line) if VALUE_ERRORS.search(line) else line
