"""Connectors: the one interface behind which files, databases and programs of others look alike.

A connector knows the tables of one source and lands them: it brings what is new to this machine, as files, and hands
those to the one landing that there is.

Belongs here: the interface, files local and remote, the built-in shop. Does not belong here: databases
(`sql_connector.py`), HTTP (`rest_connector.py`), choosing one (`configured.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from dagster_project.sources.files import find_files
from dagster_project.sources.landing import Landed, Progress, land
from dagster_project.sources.remote_files import Store, mirror
from dagster_project.sources.simulated_shop import Dirt, ShopPlan, simulate
from dagster_project.sources.tables import SourceTable


class Connector(Protocol):
    """One source of a shop, whatever system it is."""

    @property
    def tables(self) -> Sequence[SourceTable]:
        """The source's tables, in the order of the settings."""

    def land(self, table: SourceTable, landing: Path, loaded_at: datetime, progress: Progress | None = None) -> Landed:
        """Bring what is new of a table into the landing zone; the same again brings nothing.

        Args:
            table: One of `tables`.
            landing: Root of the landing zone.
            loaded_at: The moment of this landing, with a time zone.
            progress: Hears what is being read, how much is done and how much there is.

        Raises:
            SourceError: What cannot be landed, in one line; what was landed before stays.
        """

    def examine(self) -> str:
        """What is there to land, in a few words, without landing it.

        Raises:
            SourceError: It cannot be reached or is not as described.
        """


@dataclass(frozen=True)
class LocalFiles:
    """Files in a folder of this machine."""

    tables: Sequence[SourceTable]

    def land(self, table: SourceTable, landing: Path, loaded_at: datetime, progress: Progress | None = None) -> Landed:
        """Land the table's files as they lie."""
        return land(table, landing, loaded_at, progress)

    def examine(self) -> str:
        """How many files there are."""
        return f"{sum(len(find_files(table)) for table in self.tables)} files"


@dataclass(frozen=True)
class RemoteFiles:
    """Files in an S3-compatible store, mirrored into the folder of each table."""

    tables: Sequence[SourceTable]
    store: Store

    def land(self, table: SourceTable, landing: Path, loaded_at: datetime, progress: Progress | None = None) -> Landed:
        """Fetch what has changed, then land it."""
        mirror(self.store, table, progress)
        return land(table, landing, loaded_at, progress)

    def examine(self) -> str:
        """Fetches too, as a missing permission shows at an object only."""
        for table in self.tables:
            mirror(self.store, table)
        return f"{sum(len(find_files(table)) for table in self.tables)} files"


@dataclass(frozen=True)
class SimulatedFiles:
    """The built-in shop's files, made from its seed when they are first asked for."""

    tables: Sequence[SourceTable]
    plan: ShopPlan
    dirt: Dirt
    folder: Path

    def land(self, table: SourceTable, landing: Path, loaded_at: datetime, progress: Progress | None = None) -> Landed:
        """Make the shop's files unless they are there, then land the table's."""
        simulate(self.plan, self.folder, self.dirt)
        return land(table, landing, loaded_at, progress)

    def examine(self) -> str:
        """Nothing can be missing."""
        return "the built-in shop"
