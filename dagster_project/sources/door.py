"""The door of the landing zone: each new delivery is read, compared with the one before, and let in or not.

Belongs here: a feed's policy at work. Does not belong here: what counts as a change (`contract.py`), the landing
transaction (`landing.py`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dagster_project.sources.contract import ContractBroken, ContractChange, column_changes, new_values, refuse, told
from dagster_project.sources.ledger import Load, rejects_path, rows_path
from dagster_project.sources.load_writer import Delivery, write_load
from dagster_project.sources.repetition import repeated_share, rewritten
from dagster_project.sources.tables import MissingColumns, SourceTable, delivery_name

LOADS_COMPARED = (
    100  # a code that the last hundred deliveries did not have is worth a word, and each is a column to read
)


class Door:
    """What one landing of a table has seen at its door.

    Attributes:
        changes: how deliveries differ from those before them.
        set_aside: files that were not let in.
    """

    def __init__(self, table: SourceTable, folder: Path, ledger: list[Load]) -> None:
        self.changes: list[ContractChange] = []
        self.set_aside: list[str] = []
        self._table = table
        self._folder = folder
        self._ledger = ledger
        self._earlier = [load for load in ledger[-LOADS_COMPARED:] if rows_path(folder, load.load_id).is_file()]

    def admit(self, delivery: Delivery, scratch: Path, others: list[Load]) -> Load | None:
        """Read a delivery into `scratch/done`; nothing comes back, and stays there, when it is set aside.

        Args:
            delivery: what to read.
            scratch: folder of this landing.
            others: deliveries that this landing has already let in.

        Raises:
            ContractBroken: it lacks a required column, or the contract is frozen; unless it may be set aside.
            SourceError: on any other fault of the file as a whole.
        """
        file, since, done = delivery.file.name, self._before(delivery.file.name, others), scratch / "done"
        try:
            load = write_load(delivery, scratch, done)
        except MissingColumns as fault:
            changes = column_changes(file, since.columns, dict.fromkeys(fault.found, "")) if since else []
            if self._may_set_aside():
                self._leave_out(file, changes or [ContractChange(file, "missing", "", str(fault))])
                return None
            extra = f"; {told(changes, since)}" if changes else ""
            raise ContractBroken(f"{fault}{extra}", changes) from None
        load = replace(load, repeats=self._repeated(since, load, done))
        changes = column_changes(file, since.columns, load.columns) if since else []
        changes += rewritten(load, self._under_the_name(load.delivery))
        changes += new_values(self._table, self._folder, file, rows_path(done, load.load_id), self._earlier)
        if changes and self._table.when_changed == "freeze":
            raise refuse(self._table, changes, since)
        if changes and self._may_set_aside():
            rows_path(done, load.load_id).unlink()
            rejects_path(done, load.load_id).unlink(missing_ok=True)
            self._leave_out(file, changes)
            return None
        self.changes += changes
        return load

    def _before(self, file: str, others: list[Load]) -> Load | None:
        """The delivery to compare with: the last one under the same name, else the last one of the table."""
        known = self._under_the_name(delivery_name(file)) or [*self._ledger, *others]
        return known[-1] if known else None

    def _under_the_name(self, delivery: str) -> list[Load]:
        return [load for load in self._ledger if load.delivery == delivery]

    def _repeated(self, since: Load | None, load: Load, done: Path) -> float | None:
        """What a delivery repeats of the one before it under the same name."""
        if since is None or since.delivery != load.delivery:
            return None
        before = rows_path(self._folder, since.load_id)
        return repeated_share(before, rows_path(done, load.load_id), load) if before.is_file() else None

    def _may_set_aside(self) -> bool:
        """Whether the policy asks for it, and something is there to go on with."""
        return self._table.when_changed == "quarantine" and bool(self._earlier)

    def _leave_out(self, file: str, changes: list[ContractChange]) -> None:
        self.set_aside.append(file)
        self.changes += changes
