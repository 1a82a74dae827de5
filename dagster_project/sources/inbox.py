"""The inbox of a table: what a connector brought stands there as a file until it is landed.

Belongs here: the names of such files, landing them one by one, the sum of one visit. Does not belong here: bringing
(`sql_connector.py`, `rest_connector.py`), the landing itself (`landing.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from dagster_project.sources.contract import ContractChange
from dagster_project.sources.landing import Landed, current_loads, land
from dagster_project.sources.sealing import Sealer
from dagster_project.sources.tables import SourceTable


@dataclass
class Inbox:
    """What one visit to a source brings for one table.

    Args:
        table: The table, whose folder nobody else writes.
        landing: Root of the landing zone.
        loaded_at: The moment of this visit.
    """

    table: SourceTable
    landing: Path
    loaded_at: datetime
    files_new: int = 0
    rows_new: int = 0
    changes: list[ContractChange] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    _has_landed: bool = False

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """A folder for what is in work, closed to others; the inbox loses what a killed run left: it is read again."""
        folder = self.table.folder
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.iterdir():
            leftover.unlink()
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            yield Path(scratch)

    def sealed(self, fresh: Path) -> Path:
        """Rows as they may be compared and landed: without direct identifiers, whose originals are kept by now."""
        if self.table.protection is None:
            return fresh
        target = fresh.with_name("sealed.parquet")
        with closing(Sealer(self.table.protection, self.table.source, fresh.parent)) as sealer:
            sealer.seal_rows(fresh, target)
            sealer.keep_originals()
        return target

    def next_file(self) -> Path:
        """Where to write what is to be landed next; names are in the order of landing."""
        return self.table.folder / f"{self.loaded_at:%Y%m%dT%H%M%S%f}-{self.files_new + 1:06d}.parquet"

    def land(self, file: Path) -> None:
        """Land a file of the folder, whose rows are sealed; it then leaves the folder."""
        try:
            sealed = replace(self.table, protection=None)
            landed = land(sealed, self.landing, self.loaded_at, are_earlier_proven=self._has_landed)
        finally:
            file.unlink()
        self._has_landed = True
        self.files_new += landed.files_new
        self.rows_new += landed.rows_new
        self.changes += landed.changes
        self.set_aside += landed.set_aside

    def sum(self) -> Landed:
        """What stands in the landing zone after the visit, and what of it is new."""
        loads = current_loads(self.table, self.landing)
        return Landed(
            rows=sum(load.rows for load in loads),
            files_seen=len(loads),
            files_new=self.files_new,
            rows_new=self.rows_new,
            load_ids=tuple(load.load_id for load in loads),
            columns={name: kind for load in loads for name, kind in load.columns.items()},
            bytes=sum(load.bytes for load in loads),
            changes=tuple(self.changes),
            set_aside=tuple(self.set_aside),
        )
