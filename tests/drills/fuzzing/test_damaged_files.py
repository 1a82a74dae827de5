"""Files that were damaged at random: each is landed with every row somewhere, or refused in one clear line.

What is asserted is counted outside the readers: lines of JSON by Python, rows of a CSV without quotes by their lines,
rows of a Parquet by its own footer.
"""

from __future__ import annotations

import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from drill_report import write_section
from long_form import IS_LONG

from dagster_project.sources.landing import land
from dagster_project.sources.raw_views import raw_select_sql, rejects_select_sql
from dagster_project.sources.tables import FileFormat, SourceError, SourceTable

CASES = 10_000 if IS_LONG else 200
BATCH = 25
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
MARKS = [b'"', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"{", b"}", b"\\", b"\xe5\xaf", b"'", b";"]
COLUMNS = ("order_id", "amount")


@dataclass(frozen=True)
class Kind:
    """A file of one format, and what it must come to.

    Attributes:
        name: of the file.
        format: as in the settings.
        content: the sound file.
        rows: how many rows a damaged one has, counted otherwise; None where nothing else can tell.
    """

    name: str
    format: FileFormat
    content: bytes
    rows: Callable[[bytes], int | None]


def csv_rows(content: bytes) -> int | None:
    """Lines behind the header, where no quote or lone carriage return makes lines and records differ."""
    if b'"' in content or b"\r" in content.replace(b"\r\n", b"\n"):
        return None
    lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").split(b"\n") if line]
    return len(lines) - 1


def json_rows(content: bytes) -> int:
    return sum(1 for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip())


def parquet_rows(content: bytes) -> int:
    return int(pq.read_metadata(io.BytesIO(content)).num_rows)


def sound_files(folder: Path) -> list[Kind]:
    lines = [(f"o{row}", f"{row}.50") for row in range(60)]
    text = "order_id,amount\n" + "".join(f"{order},{amount}\n" for order, amount in lines)
    objects = "".join(json.dumps(dict(zip(COLUMNS, line, strict=True))) + "\n" for line in lines)
    path = folder / "sound.parquet"
    duckdb.sql(f"copy (select 'o' || i as order_id, i * 1.5 as amount from range(60) t(i)) to '{path}'")
    return [
        Kind("orders.csv", "csv", text.encode(), csv_rows),
        Kind("orders.csv.gz", "csv", gzip.compress(text.encode(), mtime=0), lambda content: None),
        Kind("orders.jsonl", "json_lines", objects.encode(), json_rows),
        Kind("orders.parquet", "parquet", path.read_bytes(), parquet_rows),
    ]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """One to three random edits: bytes changed, put in, taken out, repeated or cut off."""
    for _ in range(chance.randint(1, 3)):
        place, width = chance.randrange(len(content) + 1), chance.randint(1, 12)
        before, after = content[:place], content[place:]
        content = chance.choice(
            [
                before + chance.choice(MARKS) + after,
                before + chance.randbytes(width) + after[width:],
                before + after[width:],
                before + after[:width] * 2 + after[width:],
                before,
            ]
        )
    return content


def fate(kind: Kind, content: bytes, folder: Path) -> str:
    """Land a damaged file and say what became of it; every row of it must be accounted for."""
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / kind.name).write_bytes(content)
    table = SourceTable("shop", "orders", folder / "shop", kind.name, kind.format, COLUMNS)
    try:
        landed = land(table, folder / "landing", NOON)
    except SourceError as refusal:
        told = str(refusal)
        assert told.startswith("shop.orders: ")
        assert "\n" not in told
        assert not list((folder / "landing").rglob("*.parquet"))
        return "refused"
    with duckdb.connect() as con:
        [(rows,)] = con.execute(f"select count(*) from ({raw_select_sql(table, folder / 'landing')})").fetchall()
        rejected = f"select count(*) from ({rejects_select_sql([table], folder / 'landing')})"
        assert con.execute(rejected).fetchall() == [(landed.rejected,)]
    assert rows == landed.rows
    expected = kind.rows(content)
    assert expected is None or rows + landed.rejected == expected
    return "landed"


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Counter[tuple[str, str]]]:
    """How often which file met which fate, told once all are through."""
    found: Counter[tuple[str, str]] = Counter()
    yield found
    rows = [(name, found[name, "landed"], found[name, "refused"]) for name in sorted({name for name, _ in found})]
    write_section("files", ("file", "landed whole", "refused in one line"), rows)


@pytest.mark.parametrize("batch", range(CASES // BATCH))
def test_a_damaged_file_is_landed_whole_or_refused(
    batch: int, tmp_path: Path, outcomes: Counter[tuple[str, str]]
) -> None:
    chance = random.Random(f"damage {batch}")  # noqa: S311 - not a secret
    kinds = sound_files(tmp_path)
    for case in range(BATCH):
        kind = kinds[case % len(kinds)]
        content = damaged(kind.content, chance)
        try:
            outcomes[kind.name, fate(kind, content, tmp_path / str(case))] += 1
        except Exception as fault:
            raise AssertionError(f"{kind.name} of {content!r}") from fault
