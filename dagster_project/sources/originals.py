"""The one file that holds identifiers in clear: `LOYALTY_HOME/originals.parquet`, which only its owner may read.

A row is an identifier that some source sent, with its pseudonym; who it belongs to is said by the warehouse alone. The
file is written anew at every change, so what was removed is in no byte of it.

Belongs here: keeping, removing and finding originals. Does not belong here: making pseudonyms (`sealing.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from dagster_project.durable_files import make_durable
from dagster_project.sources.engine import private_connection
from dagster_project.sql_text import literal

ORIGINALS_SCHEMA = pa.schema([("kind", pa.string()), ("pseudonym", pa.string()), ("original", pa.string())])
OWNER_ONLY = 0o600


def originals_path(home: Path) -> Path:
    """Where the originals lie."""
    return home / "originals.parquet"


def keep_originals(home: Path, fresh: Collection[Path]) -> None:
    """Add originals; of several spellings of one identifier the first of the new ones stands.

    Args:
        home: LOYALTY_HOME.
        fresh: Parquet files of `kind, pseudonym, original`, one or more.
    """
    files = ", ".join(literal(str(path)) for path in fresh)
    known, new = originals_path(home), f"select *, 1 as age from read_parquet([{files}])"
    if known.exists():
        new += f" union all select *, 2 as age from read_parquet({literal(str(known))})"
    _replace(
        home,
        "select kind, pseudonym, min_by(original, (age, original)) as original "
        f"from ({new}) group by kind, pseudonym order by kind, pseudonym",
    )


def remove_originals(home: Path, pseudonyms: Collection[str]) -> int:
    """Take originals out of the file; says how many there were."""
    path = originals_path(home)
    if not path.exists() or not pseudonyms:
        return 0
    chosen = ", ".join(literal(one) for one in sorted(pseudonyms))
    everything = f"from read_parquet({literal(str(path))})"
    with private_connection() as con:
        [(count,)] = con.execute(f"select count(*) {everything} where pseudonym in ({chosen})").fetchall()
    if count:
        _replace(home, f"{everything} where pseudonym not in ({chosen}) order by kind, pseudonym")
    return int(count)


def _replace(home: Path, select: str) -> None:
    """Write the file anew in a folder that nobody else may enter, then put it in place in one step."""
    target = originals_path(home)
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".originals-", dir=home) as work:
        written = Path(work) / target.name
        with private_connection(spill_to=Path(work)) as con:
            con.execute(f"copy ({select}) to {literal(str(written))} (format parquet, compression zstd)")
        written.chmod(OWNER_ONLY)
        make_durable(written)
        written.replace(target)
        make_durable(home)
