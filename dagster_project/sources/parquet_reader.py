"""Reading Parquet: as it is, types kept.

Belongs here: opening, the checks of the schema. Does not belong here: text formats, writing rows (`landing.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.sources.files import SourceFile
from dagster_project.sources.readings import Reject, batch_rows
from dagster_project.sources.tables import SourceError, SourceTable, check_column_names, check_required_columns


class ParquetReading:
    """A Parquet file being read; see `Reading`.

    It has no rejected rows: a damaged page refuses the file, where it does not decode or its writer gave it a checksum.

    Raises:
        SourceError: When the file is no Parquet, is cut, or lacks a column.
    """

    def __init__(self, table: SourceTable, file: SourceFile) -> None:
        self._table, self._file = table, file
        self._stream = pa.OSFile(str(file.path), "rb")
        try:
            self._parquet = pq.ParquetFile(self._stream, page_checksum_verification=True)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            self._stream.close()
            raise self._damaged(error) from None
        self.schema = self._parquet.schema_arrow.remove_metadata()
        self.columns = tuple(self.schema.names)
        self.approximate_rows = int(self._parquet.metadata.num_rows)
        place = f"file {file.name!r}"
        check_column_names(table, self.columns, place)
        check_required_columns(table, self.columns, place)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in file order."""
        try:
            for batch in self._parquet.iter_batches(batch_size=batch_rows(len(self.columns))):
                yield batch.cast(self.schema)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._damaged(error) from None

    def rejects(self) -> Iterator[Reject]:
        """None, ever."""
        return iter(())

    def prove_complete(self, landed: Path, rows: int, rejects: Path | None) -> None:
        """The file says how many rows it has."""
        del landed, rejects
        if rows != self.approximate_rows:
            raise self._damaged(ValueError(f"{self.approximate_rows} rows announced, {rows} read"))

    def close(self) -> None:
        """Let go of the file."""
        self._parquet.close()
        self._stream.close()

    def _damaged(self, error: Exception) -> SourceError:
        return self._table.error(
            f"file {self._file.name!r} is not readable as Parquet, or is cut ({error}); deliver it again"
        )
