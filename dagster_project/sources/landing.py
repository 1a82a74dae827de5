"""Landing: each source file becomes one immutable Parquet, once.

A table is landed whole or not at all: every file is first read to a temporary name and checked, then all are renamed
into place, then the ledger is replaced. What a killed run leaves is a temporary file, or a Parquet that no ledger
names; the next run removes the one and writes over the other.

Belongs here: that transaction. Does not belong here: the Parquet of one load (`load_writer.py`), reading formats
(`csv_reader.py` and its siblings), the ledger's format (`ledger.py`), SQL over the landing zone (`raw_views.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from dagster_project.durable_files import make_durable
from dagster_project.sources.contract import ContractChange
from dagster_project.sources.door import Door
from dagster_project.sources.files import SourceFile, find_files, sha256_of
from dagster_project.sources.ledger import (
    TEMPORARY_PREFIX,
    Load,
    as_utc,
    current_loads,
    is_sound,
    newest_loads,
    only_writer,
    read_ledger,
    rows_path,
    write_ledger,
)
from dagster_project.sources.load_writer import Delivery, write_load
from dagster_project.sources.raw_views import raw_select_sql, rejects_select_sql
from dagster_project.sources.sealing import Sealer
from dagster_project.sources.tables import SourceTable, check_required_columns

__all__ = ["Landed", "Load", "Progress", "current_loads", "land", "raw_select_sql", "rejects_select_sql"]

Progress = Callable[[str, int, int], None]
"""Hears the file being read, the bytes done so far over the whole table, and the bytes in all."""

CLOCK_TOLERANCE = timedelta(hours=1)  # a correction of the clock; rows are refused a day after their load
_HASHING_SHARE = 0.1  # of the time a new file takes; an old one takes no more than its hash


@dataclass(frozen=True)
class Landed:
    """What stands in the landing zone for a table's files after one call.

    Args:
        rows: Rows of the current load of every file seen.
        rejected: Rows of those files that could not be read.
        files_seen: Files in the folder.
        files_new: Files among them that are a new delivery.
        rows_new: Rows of those.
        load_ids: Current load of every file seen, by file name.
        columns: Source columns with their DuckDB types.
        bytes: Size of all files seen.
        changes: How new deliveries differ from those before them, those set aside included.
        set_aside: Files that were not landed, as the feed's policy asks for when a delivery differs.
    """

    rows: int = 0
    rejected: int = 0
    files_seen: int = 0
    files_new: int = 0
    rows_new: int = 0
    load_ids: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    changes: tuple[ContractChange, ...] = ()
    set_aside: tuple[str, ...] = ()


def land(
    table: SourceTable,
    landing: Path,
    loaded_at: datetime,
    progress: Progress | None = None,
    *,
    are_earlier_proven: bool = False,
) -> Landed:
    """Keep every new delivery of a table as Parquet, and say what stands there now.

    Args:
        table: What to read.
        landing: Root of the landing zone.
        loaded_at: The moment of this landing, with a time zone; nothing here looks at the clock.
        progress: Hears how far the reading is.
        are_earlier_proven: The loads whose files are gone were found as they were landed a moment ago: whoever lands
            many files one by one need not have all of them hashed each time.

    Returns:
        Totals over the files that lie in the folder now. The same files again: the same totals, `files_new` 0.

    Raises:
        ContractBroken: A delivery lacks a required column, or differs from the one before where the policy is `freeze`.
        SourceError: On any other structural fault, a clock that was set back, or landed rows that are damaged and whose
            file is gone. In all cases nothing of this call is landed.
    """
    moment = as_utc(loaded_at)
    files = find_files(table)
    with only_writer(table, landing) as folder:
        for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        ledger = read_ledger(table, landing)
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder) as scratch:
            with _sealer(table, Path(scratch)) as sealer:
                current, deliveries, door = _read_files(
                    table, files, moment, ledger, Path(scratch), folder, progress, sealer
                )
            if not are_earlier_proven:
                _require_sound(table, folder, [*ledger, *deliveries], current)
            _move_into_place(Path(scratch) / "done", folder)
            # of a load that was written again, the bytes may be another library's
            mended = {load.load_id: load.landed_sha256 for load in current}
            kept = [replace(load, landed_sha256=mended.get(load.load_id, load.landed_sha256)) for load in ledger]
            if deliveries or kept != ledger:
                write_ledger(table, landing, [*kept, *deliveries])
    return Landed(
        rows=sum(load.rows for load in current),
        rejected=sum(load.rejected for load in current),
        files_seen=len(files),
        files_new=len(deliveries),
        rows_new=sum(load.rows for load in deliveries),
        load_ids=tuple(load.load_id for load in current),
        columns={name: kind for load in current for name, kind in load.columns.items()},
        bytes=sum(file.size for file in files),
        changes=tuple(door.changes),
        set_aside=tuple(door.set_aside),
    )


def _read_files(
    table: SourceTable,
    files: list[SourceFile],
    loaded_at: datetime,
    ledger: list[Load],
    scratch: Path,
    folder: Path,
    progress: Progress | None,
    sealer: Sealer | None,
) -> tuple[list[Load], list[Load], Door]:
    """The current load of each file, those among them that the ledger does not have yet, and what the door saw."""
    door = Door(table, folder, ledger)
    newest = {load.file: load.load_id for load in newest_loads(ledger)}
    known = {load.load_id: load for load in ledger if rows_path(folder, load.load_id).is_file()}
    (scratch / "done").mkdir()
    meter = _Meter(files, progress)
    current: list[Load] = []
    deliveries: list[Load] = []
    for file in files:
        sha256 = sha256_of(file, meter.hashing(file))
        load_id = _load_id(table, file, sha256)
        if load_id in known:
            load = known[load_id]
            check_required_columns(table, tuple(load.columns), f"file {file.name!r}")
            if not is_sound(folder, load):
                again = Delivery(table, file, sha256, load_id, load.loaded_at, meter.reading(file), sealer)
                load = write_load(again, scratch, scratch / "done")
        else:
            _require_clock(table, ledger, loaded_at)
            delivery = Delivery(table, file, sha256, load_id, loaded_at, meter.reading(file), sealer)
            admitted = door.admit(delivery, scratch, deliveries)
            if admitted is None:
                meter.finish(file)
                continue
            load = admitted
        if newest.get(file.name) != load_id:
            load = replace(load, loaded_at=loaded_at)
            deliveries.append(load)
        current.append(load)
        meter.finish(file)
    return current, deliveries, door


@contextlib.contextmanager
def _sealer(table: SourceTable, scratch: Path) -> Iterator[Sealer | None]:
    """What hashes the table's identifiers, where it has any; their originals are kept before anything is landed."""
    if table.protection is None:
        yield None
        return
    folder = scratch / "clear"
    folder.mkdir(mode=0o700)
    sealer = Sealer(table.protection, table.source, folder)
    try:
        yield sealer
        sealer.keep_originals()
    finally:
        sealer.close()


def _require_clock(table: SourceTable, ledger: list[Load], moment: datetime) -> None:
    """Rows that happened after their own load are refused, and a load keeps its moment: a wrong one would last."""
    latest = max((load.loaded_at for load in ledger), default=moment)
    if moment < latest - CLOCK_TOLERANCE:
        raise table.error(
            f"the clock says {moment:%Y-%m-%d %H:%M} UTC, but a file was landed at {latest:%Y-%m-%d %H:%M}: "
            "set the clock right and run again"
        )


def _require_sound(table: SourceTable, folder: Path, loads: list[Load], current: list[Load]) -> None:
    """Loads that still count, but whose files have left the source, are what they were; no other copy is known."""
    at_hand = {load.load_id for load in current}
    for load in newest_loads(loads):
        if load.load_id not in at_hand and not is_sound(folder, load):
            raise table.error(
                f"{str(rows_path(folder, load.load_id))!r} is damaged or missing, and its file {load.file!r} is gone "
                "from the source: restore either of the two from a backup and run again"
            )


def _move_into_place(done: Path, folder: Path) -> None:
    """Rename what was read, the rejects before their rows."""
    read = sorted(done.iterdir(), key=lambda path: not path.name.endswith(".rejects.parquet"))
    for path in read:
        path.replace(folder / path.name)
    if read:
        make_durable(folder)


def _load_id(table: SourceTable, file: SourceFile, sha256: str) -> str:
    parts = "\0".join((sha256, table.reader_fingerprint, table.name, file.name))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


class _Meter:
    """Turns bytes hashed and shares read into bytes done over all files."""

    def __init__(self, files: list[SourceFile], progress: Progress | None) -> None:
        self._total = sum(file.size for file in files)
        self._finished = 0
        self._progress = progress

    def hashing(self, file: SourceFile) -> Callable[[int], None]:
        """Hears how many more bytes were hashed."""
        hashed = 0

        def hear(more: int) -> None:
            nonlocal hashed
            hashed += more
            self._tell(file, min(hashed, file.size) * _HASHING_SHARE)

        return hear

    def reading(self, file: SourceFile) -> Callable[[float], None]:
        """Hears which share of the file was read."""
        return lambda share: self._tell(file, file.size * (_HASHING_SHARE + (1 - _HASHING_SHARE) * share))

    def finish(self, file: SourceFile) -> None:
        """The file is done."""
        self._finished += file.size
        self._tell(file, 0)

    def _tell(self, file: SourceFile, part: float) -> None:
        if self._progress is not None:
            self._progress(file.name, self._finished + int(part), self._total)
