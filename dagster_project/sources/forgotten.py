"""Who was forgotten: the keys of erased accounts and guests' orders, so that no later delivery brings them back.

A key is a keyed hash; without the shop's secret it names nobody. Belongs here: that list, `LOYALTY_HOME/forgotten.csv`.
Does not belong here: the erasure (`dagster_project.erasure`).
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from dagster_project.durable_files import write_atomically
from dagster_project.sql_text import literal

_HEADER = ("record_key", "forgotten_at")


def forgotten_path(home: Path) -> Path:
    """Where the list lies."""
    return home / "forgotten.csv"


def forgotten_records(home: Path) -> pa.Table:
    """The keys, one a row, as column `record_key`."""
    return pa.table({"record_key": pa.array([key for key, _ in _read(home)], pa.string())})


def last_forgotten_at(home: Path) -> dt.datetime | None:
    """When somebody was forgotten last."""
    return max((moment for _, moment in _read(home)), default=None)


def forgotten_select_sql(home: Path) -> str:
    """SELECT of the keys, as column `record_key`; of none where nobody was forgotten."""
    path = forgotten_path(home)
    if not path.exists():
        return "select cast(null as varchar) as record_key where false"
    return (
        f"select distinct record_key from read_csv({literal(str(path))}, header=true, auto_detect=false, "
        "delim=',', quote='\"', escape='\"', columns={'record_key': 'VARCHAR', 'forgotten_at': 'VARCHAR'})"
    )


def remember_forgotten(home: Path, record_keys: Iterable[str], now: dt.datetime) -> None:
    """Add keys to the list.

    Args:
        home: LOYALTY_HOME.
        record_keys: of what was erased.
        now: the moment, with a time zone.
    """
    known = {key for key, _ in _read(home)}
    added = [(key, now) for key in sorted(set(record_keys) - known)]
    lines = [",".join(_HEADER)]
    lines += [f"{key},{moment.astimezone(dt.UTC).isoformat()}" for key, moment in [*_read(home), *added]]
    write_atomically(forgotten_path(home), "\n".join(lines) + "\n", mode=0o600)


def _read(home: Path) -> list[tuple[str, dt.datetime]]:
    try:
        text = forgotten_path(home).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    rows = csv.DictReader(text.splitlines())
    return [(row["record_key"], dt.datetime.fromisoformat(row["forgotten_at"])) for row in rows]
