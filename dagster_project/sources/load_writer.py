"""Writing one load: the rows of one source file with their provenance, and beside them the rows refused.

Belongs here: choosing the reader, the Parquet schema of a load, provenance columns.
Does not belong here: which files to read and when a load counts (`landing.py`), reading formats (`csv_reader.py` and
its siblings).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.durable_files import make_durable
from dagster_project.sources.csv_reader import CsvReading
from dagster_project.sources.engine import private_connection
from dagster_project.sources.files import SourceFile, as_plain_text
from dagster_project.sources.fixed_width_reader import FixedWidthReading
from dagster_project.sources.json_lines_reader import JsonLinesReading
from dagster_project.sources.ledger import Load, digest_of, rejects_path, rows_path
from dagster_project.sources.parquet_reader import ParquetReading
from dagster_project.sources.readings import BATCH_ROWS, Reading, Reject, UnevenLineEndsError
from dagster_project.sources.sealing import Sealer
from dagster_project.sources.tables import PROVENANCE_COLUMNS, SourceTable
from dagster_project.sources.xlsx_reader import XlsxReading
from dagster_project.sql_text import literal

_PROVENANCE_TYPES = (pa.string(), pa.string(), pa.timestamp("us"), pa.string(), pa.int64())
_PROVENANCE_FIELDS = [pa.field(*pair) for pair in zip(PROVENANCE_COLUMNS, _PROVENANCE_TYPES, strict=True)]
_REJECTS_SCHEMA = pa.schema([*_PROVENANCE_FIELDS, pa.field("reason", pa.string()), pa.field("raw_line", pa.string())])
_REJECTS_BATCH = 4096
_WHOLE_FILES: dict[str, Callable[[SourceTable, SourceFile], Reading]] = {"parquet": ParquetReading, "xlsx": XlsxReading}
_TEXTS: dict[str, Callable[[SourceTable, SourceFile, Path], Reading]] = {
    "csv": CsvReading,
    "json_lines": JsonLinesReading,
    "fixed_width": FixedWidthReading,
}


@dataclass(frozen=True)
class Delivery:
    """A file that is to become a load.

    `on_share` hears which share of it is read, from 0 to 1; `sealer` is there where the table has direct identifiers.
    """

    table: SourceTable
    file: SourceFile
    sha256: str
    load_id: str
    loaded_at: datetime
    on_share: Callable[[float], None]
    sealer: Sealer | None = None

    def constants(self, rows: int) -> list[pa.Array]:
        """The provenance columns that are the same in every row; `_row_number` is not."""
        values = (self.table.source, self.file.name, self.loaded_at.replace(tzinfo=None), self.load_id)
        return [
            pa.repeat(pa.scalar(value, kind), rows) for value, kind in zip(values, _PROVENANCE_TYPES[:-1], strict=True)
        ]


def write_load(delivery: Delivery, scratch: Path, done: Path) -> Load:
    """Read one file into `done`, on disk to stay, and prove that nothing of it is missing.

    Args:
        delivery: What to read.
        scratch: Folder for intermediate files, which are removed.
        done: Folder for the Parquet files.

    Raises:
        SourceError: On any fault of the file as a whole; what is then in `done` must not be used.
    """
    table, file = delivery.table, delivery.file
    target = rows_path(done, delivery.load_id)
    with tempfile.TemporaryDirectory(dir=scratch) as work:
        first = target if delivery.sealer is None else rows_path(Path(work), delivery.load_id)
        try:
            rows, rejected = _convert(delivery, open_reading(table, file, Path(work)), first)
        except UnevenLineEndsError:
            reading = open_reading(table, file, Path(work), with_plain_line_ends=True)
            rows, rejected = _convert(delivery, reading, first)
        if delivery.sealer is not None:
            delivery.sealer.seal_load(delivery.load_id, Path(work), done)
    if not file.is_unchanged():
        raise table.error(f"file {file.name!r} changed while it was read; deliver it under its name in one rename")
    return Load(
        file=file.name,
        load_id=delivery.load_id,
        sha256=delivery.sha256,
        bytes=file.size,
        rows=rows,
        rejected=rejected,
        loaded_at=delivery.loaded_at,
        columns=_column_types(table, file, target) | _declared_types(table, file),
        landed_sha256=digest_of(target),
    )


def open_reading(table: SourceTable, file: SourceFile, work: Path, *, with_plain_line_ends: bool = False) -> Reading:
    """The reader of a file's format, with its columns found.

    Args:
        table: How it is written.
        file: The file.
        work: Folder for its plain text, which the caller removes.
        with_plain_line_ends: Make every line end a plain newline first.

    Raises:
        SourceError: The file cannot be read at all.
        UnevenLineEndsError: Its lines end in a carriage return alone; its batches may find that later, too.
    """
    if table.format in _WHOLE_FILES:
        return _WHOLE_FILES[table.format](table, file)
    text = as_plain_text(table, file, work, with_plain_line_ends=with_plain_line_ends)
    return _TEXTS[table.format](table, file, text)


def _convert(delivery: Delivery, reading: Reading, target: Path) -> tuple[int, int]:
    """Rows and rejected rows of one file, written to `target` and beside it."""
    try:
        rows = _write_rows(delivery, reading, target)
        rejects = reading.rejects()
        first = next(rejects, None)
        if first is None:
            reading.prove_complete(target, rows, None)
            return rows, 0
        rejects_target = rejects_path(target.parent, delivery.load_id)
        batches = _reject_batches(delivery, chain([first], rejects))
        rejected = _write_batches(rejects_target, _REJECTS_SCHEMA, batches)
        reading.prove_complete(target, rows, rejects_target)
    finally:
        reading.close()
    if rows == 0:
        raise delivery.table.error(
            f"no row of file {delivery.file.name!r} could be read; the first of {rejected} refused is line "
            f"{first.line} ({first.reason}): check delimiter, quote and encoding in the settings"
        )
    return rows, rejected


def _write_rows(delivery: Delivery, reading: Reading, target: Path) -> int:
    """Number the rows here, on Arrow batches: `row_number() over ()` would make DuckDB read on one thread.

    1.07 million lines of Online Retail on two cores: 1.16 s with the window function, 0.74 s this way.
    """
    schema = pa.schema([*reading.schema, *_PROVENANCE_FIELDS])

    def numbered() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in reading.batches():
            rows = batch.num_rows
            numbers = pa.array(np.arange(done + 1, done + rows + 1, dtype=np.int64))
            yield pa.RecordBatch.from_arrays([*batch.columns, *delivery.constants(rows), numbers], schema=schema)
            done += rows
            delivery.on_share(min(done / max(reading.approximate_rows, 1), 1.0))

    return _write_batches(target, schema, numbered())


def _write_batches(target: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    rows = 0
    with (
        pa.OSFile(str(target), "wb") as out,
        pq.ParquetWriter(out, schema, compression="zstd", store_schema=False) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch, row_group_size=BATCH_ROWS)
            rows += batch.num_rows
    make_durable(target)
    return rows


def _reject_batches(delivery: Delivery, rejects: Iterator[Reject]) -> Iterator[pa.RecordBatch]:
    held: list[Reject] = []

    def batch() -> pa.RecordBatch:
        own = [
            pa.array([one.line for one in held], pa.int64()),
            pa.array([one.reason for one in held], pa.string()),
            pa.array([one.raw_line for one in held], pa.string()),
        ]
        return pa.RecordBatch.from_arrays([*delivery.constants(len(held)), *own], schema=_REJECTS_SCHEMA)

    for reject in rejects:
        held.append(reject)
        if len(held) == _REJECTS_BATCH:
            yield batch()
            held = []
    if held:
        yield batch()


def _declared_types(table: SourceTable, file: SourceFile) -> dict[str, str]:
    """Types that a connector noted, as the source names them, where it brought all columns as text."""
    if table.format != "parquet":
        return {}
    noted = {field.name: (field.metadata or {}).get(b"source_type") for field in pq.read_schema(file.path)}
    return {name: kind.decode() for name, kind in noted.items() if kind}


def _column_types(table: SourceTable, file: SourceFile, parquet: Path) -> dict[str, str]:
    """Source columns with their types as DuckDB sees them, which is what every reader downstream sees."""
    try:
        with private_connection() as connection:
            described = connection.execute(
                f"describe select * from read_parquet({literal(str(parquet))}, hive_partitioning=false)"
            ).fetchall()
    except duckdb.Error as error:
        raise table.error(
            f"file {file.name!r} has a column type that DuckDB cannot read ({str(error).partition(chr(10))[0]}); "
            "write it with another type"
        ) from None
    return {name: kind for name, kind, *_ in described if name not in PROVENANCE_COLUMNS}
