"""A small shop to run nights on: its delivered files, its settings, its home, and what its readers see.

What belongs here: what nights in `integration/` and `drills/` share. Faults and assertions stand in the tests.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import yaml
from built_models import BEFORE_MODELS, build_models, land

from dagster_project.nightly import OnStep, run_night
from dagster_project.publishing.audit import published_tables, table_facts
from dagster_project.publishing.versions import current_database, current_version, read_manifest
from dagster_project.settings import DEFAULT_CONFIG, Settings, load_settings
from dagster_project.sources.simulated_shop import Dirt, ShopPlan, simulate
from dagster_project.warehouse import Warehouse

NIGHT = dt.date(2025, 12, 30)
"""The published night; the files also hold the orders of the day after."""
MAY_BE_EMPTY = (
    "refunds", "survey_answers", "reviews", "guest_contacts", "exchange_rates", "points_ledger", "tier_changes",
    "referrals", "campaigns", "campaign_messages", "subscription_events", "visits", "marketing_costs",
    "survey_invitations", "support_contacts", "support_events", "social_mentions", "contacts", "badges",
)  # fmt: skip
"""Feeds of the built-in shop that a small or young one may have no row of."""
BESIDE_THE_NIGHT = "quality.check_results"
"""The table that tells of more than the night: what was observed of all rows delivered so far, later ones too."""
SOON = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
"""A moment after the published night, when everything has been sent."""
LOYALTY = Path(sys.executable).with_name("loyalty")


@dataclass(frozen=True)
class Seen:
    """What a reader of the published warehouse sees: which version, its bytes, and a hash per table, read anew."""

    version: str
    sha256: str
    hashes: dict[str, str]

    @property
    def content(self) -> dict[str, str]:
        """The hashes of the tables that are the same whenever the same night is built again."""
        return {table: found for table, found in self.hashes.items() if table != BESIDE_THE_NIGHT}


@dataclass(frozen=True)
class CornerShop:
    """Three hundred customers' year, as files in `deliveries/`, with the settings that read them."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> CornerShop:
        """Write the shop's files and settings into a folder."""
        shop = cls(root)
        simulate(ShopPlan(customers=300, days=365), shop.deliveries, Dirt("moderate"))
        shutil.rmtree(shop.deliveries / "truth")
        orders = shop.deliveries / "orders.csv.gz"
        orders.with_suffix("").write_bytes(gzip.decompress(orders.read_bytes()))
        orders.unlink()
        shop.configure(lambda settings: None)
        return shop

    @property
    def deliveries(self) -> Path:
        return self.root / "deliveries"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def config(self) -> Path:
        return self.root / "loyalty.yaml"

    def copy_to(self, root: Path) -> CornerShop:
        """The same shop, with all that it has published, in another folder."""
        shutil.copytree(self.root, root, symlinks=True, ignore=shutil.ignore_patterns("data_docs"))
        copy = CornerShop(root)
        copy.configure(lambda settings: None)
        return copy

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Write the shop's settings: those of the built-in shop on files, with a change."""
        settings = yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8"))
        settings["home"] = str(self.home)
        settings["as_of"] = NIGHT
        settings["business"]["name"] = "Corner shop"
        settings["engine"] = {"threads": 1}  # tests run side by side: a night of so few rows takes a sixth less so
        demo = settings["sources"]["demo"]
        del demo["simulated"]
        demo |= {"connector": "files", "folder": str(self.deliveries)}
        change(settings)
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def settings(self) -> Settings:
        return load_settings(self.config)

    def run(self, on_step: OnStep | None = None, instance: dg.DagsterInstance | None = None) -> None:
        """Run the night in this process; Dagster's records of it stay in memory, which takes half the time."""
        run_night(self.settings(), NIGHT, on_step, instance or dg.DagsterInstance.ephemeral())

    def build(
        self, as_of: dt.date = NIGHT, select: str = BEFORE_MODELS, landed_at: dt.datetime = SOON
    ) -> dict[str, str]:
        """Land what is new and build SQL models of a night, which nobody publishes.

        Args:
            as_of: the night.
            select: a dbt selector; all models that need no Python model, unless given.
            landed_at: when the deliveries are landed.

        Returns:
            a hash of each public table that was built.
        """
        settings = self.settings()
        land(settings, landed_at)
        with build_models(settings, as_of, select).warehouse.connect() as con:
            return {table: table_facts(con, table).content_hash for table in published_tables(con)}

    def built(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the last build."""
        with Warehouse(self.settings()).connect() as con:
            return con.execute(sql).fetchall()

    def append(self, file: str, *rows: Sequence[object] | bytes) -> list[int]:
        """Add rows to a delivered CSV file; gives the number of each among the file's data rows."""
        path = self.deliveries / file
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        first = content.count(b"\n")
        content += b"".join(row + b"\n" if isinstance(row, bytes) else _csv_line(row) for row in rows)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return list(range(first, first + len(rows)))

    def row(self, file: str, number: int) -> list[str]:
        """A data row of a delivered CSV file, counted from 1; 0 is its header."""
        path = self.deliveries / file
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return list(csv.reader(io.StringIO(content.decode())))[number]

    def place(self, file: str, column: str) -> int:
        """Where a column stands in the rows of a delivered CSV file."""
        return self.row(file, 0).index(column)

    def seen(self) -> Seen:
        """What readers see now, compared with what its manifest says of it."""
        published = self.home / "published"
        version, database = current_version(published), current_database(published)
        assert version is not None
        assert (published / "loyalty.duckdb").resolve() == database
        manifest = read_manifest(database.parent)
        with duckdb.connect(str(database), read_only=True) as con:
            hashes = {table: table_facts(con, table).content_hash for table in manifest.tables}
        assert hashes == {table: facts["content_hash"] for table, facts in manifest.tables.items()}
        return Seen(version, hashlib.sha256(database.read_bytes()).hexdigest(), hashes)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the published warehouse."""
        with duckdb.connect(str(current_database(self.home / "published")), read_only=True) as con:
            return con.execute(sql).fetchall()

    def landed(self) -> dict[str, str]:
        """Every file of the landing zone but its locks, with a hash of its bytes."""
        return {
            path.relative_to(self.home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((self.home / "landing").rglob("*"))
            if path.is_file() and path.name != ".lock"
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `loyalty` with the shop's settings, as a stranger does."""
        with self.started(*arguments) as process:
            out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """`loyalty` at work; it does not outlive the block."""
        process = subprocess.Popen(
            [str(LOYALTY), *arguments, "--config", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.root,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def _csv_line(row: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(row)
    return line.getvalue().encode()
