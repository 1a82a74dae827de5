"""The ledger of deliveries: which file was landed when, as which immutable Parquet.

Belongs here: the folder layout of the landing zone, reading and replacing `loads.json`, what is current at a moment.
Does not belong here: reading source files (`csv_reader.py` and its siblings), writing rows (`landing.py`),
SQL over what is landed (`raw_views.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from dagster_project import durable_files
from dagster_project.durable_files import make_durable
from dagster_project.sources.tables import SourceTable, delivery_name

LEDGER_NAME = "loads.json"
TEMPORARY_PREFIX = ".tmp-"


@dataclass(frozen=True)
class Load:
    """One delivery of one file.

    `columns` maps each source column to its DuckDB type, in file order; `landed_sha256` is of the Parquet of its rows,
    and empty where it was landed before that was kept; `repeats` is the share of the rows of the delivery before, under
    the same name, that stand in it unchanged, where there was one to compare with.
    """

    file: str
    load_id: str
    sha256: str
    bytes: int
    rows: int
    rejected: int
    loaded_at: datetime
    columns: dict[str, str]
    landed_sha256: str = ""
    repeats: float | None = None

    @property
    def delivery(self) -> str:
        """What makes two files successive deliveries of one: the name, whether compressed or not."""
        return delivery_name(self.file)


def table_folder(table: SourceTable, landing: Path) -> Path:
    """Folder of one table in the landing zone.

    Raises:
        SourceError: When the landing path holds a wildcard, which DuckDB would expand.
    """
    folder = landing.absolute() / table.source / table.table
    if any(character in str(folder) for character in "*?["):
        raise table.error(f"the landing folder {str(folder)!r} holds one of * ? [; choose a folder without them")
    return folder


def rows_path(folder: Path, load_id: str) -> Path:
    """Parquet of the rows that were read."""
    return folder / f"{load_id}.parquet"


def rejects_path(folder: Path, load_id: str) -> Path:
    """Parquet of the rows that could not be read."""
    return folder / f"{load_id}.rejects.parquet"


def is_sound(folder: Path, load: Load) -> bool:
    """Whether the rows of a load lie in the landing zone as they were written, to the byte."""
    path = rows_path(folder, load.load_id)
    return path.is_file() and load.landed_sha256 in ("", digest_of(path))


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_ledger(table: SourceTable, landing: Path) -> list[Load]:
    """All deliveries of a table, oldest first; empty when nothing was ever landed.

    Raises:
        SourceError: When the ledger is not what `write_ledger` wrote.
    """
    path = table_folder(table, landing) / LEDGER_NAME
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [Load(**(entry | {"loaded_at": datetime.fromisoformat(entry["loaded_at"])})) for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, AttributeError):
        raise table.error(
            f"the ledger {str(path)!r} is not readable; expected the list that landing wrote: "
            "restore it from a backup, or remove the table's landing folder and land its files again"
        ) from None


def write_ledger(table: SourceTable, landing: Path, loads: list[Load]) -> None:
    """Replace the ledger in one step."""
    folder = table_folder(table, landing)
    entries = [asdict(load) | {"loaded_at": load.loaded_at.isoformat()} for load in loads]
    temporary = folder / f"{TEMPORARY_PREFIX}{LEDGER_NAME}"
    temporary.write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    make_durable(temporary)
    temporary.replace(folder / LEDGER_NAME)
    make_durable(folder)


def newest_loads(loads: list[Load], known_at: datetime | None = None) -> list[Load]:
    """The newest delivery of each file, by file name, of those that were landed by `known_at`."""
    newest: dict[str, Load] = {}
    for load in loads:
        if known_at is None or load.loaded_at <= as_utc(known_at):
            newest[load.delivery] = load
    return [newest[name] for name in sorted(newest)]


def current_loads(table: SourceTable, landing: Path, known_at: datetime | None = None) -> list[Load]:
    """The newest delivery of each file that was ever landed, by file name.

    A file that has left its folder keeps its last delivery: raw is append-only. Of whole snapshots, the last file by
    name is the table.

    Args:
        table: The table.
        landing: Root of the landing zone.
        known_at: Only deliveries landed until then count; None counts all. Must carry a time zone.
    """
    newest = newest_loads(read_ledger(table, landing), known_at)
    return newest[-1:] if table.is_snapshot else newest


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: When the moment has no time zone, as it could then mean any of 38 moments.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; pass an aware datetime such as datetime.now(UTC)")
    return moment.astimezone(UTC)


@contextlib.contextmanager
def only_writer(table: SourceTable, landing: Path) -> Iterator[Path]:
    """Hold the table's landing folder alone; two runs that meet wait for each other."""
    folder = table_folder(table, landing)
    with durable_files.only_writer(folder):
        yield folder
