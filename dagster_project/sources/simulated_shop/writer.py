"""How the rows of a shop become files: one table after another, block by block, in bounded memory.

Belongs here: Parquet files that grow by a row group a block, and CSV files sorted by time, as real exports are. Does
not belong here: which rows (`topics.py`), which folder and when it is complete (`assembly.py`).

The bytes depend on the rows and on the pinned versions of Arrow and DuckDB alone: fixed writer options, one order, no
time stamps, no compression of the system's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.sources.engine import private_connection
from dagster_project.sources.simulated_shop.columns import HAPPENED, Columns
from dagster_project.sources.simulated_shop.feeds import FEEDS
from dagster_project.sources.tables import SourceError

FileFormat = Literal["csv", "parquet"]
EXPORTED_AS: Mapping[str, str] = {
    "orders": "csv.gz",
    "order_lines": "csv.gz",
    "survey_invitations": "csv.gz",
    "campaign_messages": "csv.gz",
    "points_ledger": "csv.gz",
    "reviews": "parquet",
    "social_mentions": "parquet",
    "visits": "parquet",
}
"""What the shop's systems export, where it is not plain CSV: large tables zipped, those of cloud tools as Parquet."""
_SORT_MEMORY = "2GB"


def feed_table(feed: str, columns: Columns) -> pa.Table:
    """A feed's rows in order of time, with the column `HAPPENED` behind those of the feed.

    Raises:
        SourceError: the columns are not those of the feed.
    """
    expected = FEEDS[feed].columns
    if tuple(name for name in columns if name != HAPPENED) != expected:
        raise SourceError(f"feed {feed!r} was given the columns {', '.join(columns)}; expected {', '.join(expected)}")
    table = pa.table(dict(columns))
    if HAPPENED not in columns:
        table = table.append_column(HAPPENED, _seconds(table, FEEDS[feed].happened_at))
    order = pc.sort_indices(table[HAPPENED])  # a stable sort
    return table.take(order)


def _seconds(table: pa.Table, column: str | None) -> pa.Array:
    if column is None:
        return pa.repeat(pa.scalar(0, pa.int64()), table.num_rows)
    moments = table[column].cast(pa.timestamp("us")).cast(pa.int64())
    return pc.fill_null(pc.divide(moments, 1_000_000), 0)


class PartWriter:
    """Parquet files that grow block by block; a context manager.

    Args:
        folder: where `<table>.parquet` go; it is there.
        compression: of the columns.
    """

    def __init__(self, folder: Path, compression: str = "zstd") -> None:
        self._folder = folder
        self._compression = compression
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._open.values():
            writer.close()

    def write(self, name: str, table: pa.Table) -> None:
        """Add a table's rows to its file as one row group; no rows still leave a file that names the columns."""
        if name not in self._open:
            path = self._folder / f"{name}.parquet"
            self._open[name] = pq.ParquetWriter(path, table.schema, compression=self._compression, version="2.6")
        if table.num_rows:
            self._open[name].write_table(table, row_group_size=table.num_rows)


def export_sorted(parts: Path, out: Path, spill: Path, short_lines: Mapping[str, list[str]]) -> None:
    """Write every feed of a folder of parts as the shop's systems export it, in order of time.

    Args:
        parts: holds `<feed>.parquet` with the column `HAPPENED`.
        out: where the files go.
        spill: folder for what does not fit into memory while sorting.
        short_lines: by feed, lines with too few fields, to stand at the end of its file, which then is plain CSV.
    """
    with private_connection(_SORT_MEMORY, spill) as con:
        con.execute("set threads=1")
        for part in sorted(parts.glob("*.parquet")):
            feed = part.stem
            suffix = "csv" if feed in short_lines else EXPORTED_AS.get(feed, "csv")
            rows = f"""
                select * exclude ({HAPPENED}, file_row_number)
                from read_parquet('{part}', file_row_number = true) order by {HAPPENED}, file_row_number
            """
            path = out / f"{feed}.{suffix}"
            if suffix == "parquet":
                reader: pa.RecordBatchReader = con.sql(rows).to_arrow_reader(100_000)
                with pq.ParquetWriter(path, reader.schema, compression="zstd", version="2.6") as writer:
                    for batch in reader:
                        writer.write_batch(batch)
                continue
            con.execute(f"copy ({rows}) to '{path}' (format csv, header true)")
            if feed in short_lines:
                with path.open("a", encoding="utf-8") as lines:
                    lines.writelines(f"{line}\n" for line in short_lines[feed])
