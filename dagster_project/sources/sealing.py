"""Sealing a load: direct identifiers become keyed hashes before anything of them is landed.

A landed cell is the hash of the identifier's one form; of a text that has none, a `?` and the hash of the text; empty
where the source sent nothing. An address has a second column beside it, `<column>__mailbox`. The kind is hashed along,
so that a card's number never meets a telephone's, and identifiers of one kind meet across feeds and sources.

Belongs here: from a load in clear to a load that may be landed. Does not belong here: the forms (`identifiers.py`), the
file of originals (`originals.py`), reading files (`load_writer.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.durable_files import make_durable
from dagster_project.keyed_hashes import keyed_hash_sql, set_keys
from dagster_project.sources.engine import private_connection
from dagster_project.sources.forgotten import forgotten_records
from dagster_project.sources.identifiers import MAILBOX_SUFFIX, IdentifierKind, clean_sql, form_sql, mailbox_sql
from dagster_project.sources.ledger import rejects_path, rows_path
from dagster_project.sources.originals import ORIGINALS_SCHEMA, keep_originals
from dagster_project.sources.protection import RECORD_MARKS, Protection
from dagster_project.sources.readings import BATCH_ROWS
from dagster_project.sources.tables import SourceError
from dagster_project.sql_text import literal, quoted_identifier

UNREADABLE_MARK = "?"
_SOMETHING = r"[^\t-\r\x1c-\x1f\x85\p{Z}]"
"""What a cell that is not blank holds: anything but white space, as Unicode has it."""


@dataclass(frozen=True)
class Sealed:
    """What a batch becomes: rows that may be landed, and the originals of its identifiers."""

    rows: pa.Table
    originals: pa.Table


class Sealer:
    """Replaces the identifiers of the loads of one landing; on one connection, which holds the key from the first on.

    Args:
        protection: which columns, and how.
        source: name of the source, which record keys carry.
        folder: for what DuckDB cannot hold in memory, and for the originals until they are kept; nobody else may enter.
    """

    def __init__(self, protection: Protection, source: str, folder: Path) -> None:
        self._protection, self._source, self._folder = protection, source, folder

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection = private_connection(spill_to=self._folder / "spilled")
        set_keys(connection, self._protection.key())
        connection.register("forgotten", forgotten_records(self._protection.home))
        return connection

    def seal_load(self, load_id: str, clear: Path, done: Path) -> None:
        """Turn a load in clear into one that may be landed.

        Args:
            load_id: of the load.
            clear: folder of its Parquet files in clear, which the caller removes.
            done: folder for the sealed ones.

        Raises:
            SourceError: the engine cannot; its message is kept back, as it may quote a cell.
        """
        originals = self._folder / f"{load_id}.originals.parquet"
        try:
            _seal_rows(self, rows_path(clear, load_id), rows_path(done, load_id), originals)
        except duckdb.Error as fault:
            raise self._failed(f"load {load_id}", fault) from None
        if rejects_path(clear, load_id).exists():
            _seal_rejects(rejects_path(clear, load_id), rejects_path(done, load_id))

    def seal_rows(self, clear: Path, target: Path) -> None:
        """Turn rows in clear, before they are a load, into rows that may be landed.

        Args:
            clear: Parquet of the rows, which the caller removes.
            target: Parquet to write, with the rows in their order.

        Raises:
            SourceError: as `seal_load`.
        """
        try:
            _seal_rows(self, clear, target, self._folder / f"{target.stem}.originals.parquet")
        except duckdb.Error as fault:
            raise self._failed("the rows that came", fault) from None

    def _failed(self, rows: str, fault: duckdb.Error) -> SourceError:
        return SourceError(
            f"{self._source}: identifiers of {rows} cannot be hashed ({type(fault).__name__}); look for room on the "
            "disk and for odd columns in the file"
        )

    def keep_originals(self) -> None:
        """Keep the originals of all loads so far, where the shop wants them."""
        fresh = sorted(self._folder.glob("*.originals.parquet"))
        if fresh and self._protection.keeps_originals:
            keep_originals(self._protection.home, fresh)

    def seal(self, batch: pa.RecordBatch) -> Sealed:
        """A batch without clear identifiers; its other columns and the order of its rows stay."""
        present = {name: kind for name, kind in self._protection.identifiers if name in batch.schema.names}
        self._connection.register("clear", _with_plain_texts(batch, present))
        try:
            forms = self._connection.sql(self._forms_sql(present)).to_arrow_table()
            self._connection.register("forms", forms)
            landed = [self._sealed_column(name, present.get(name)) for name in batch.schema.names]
            rows = self._connection.sql(f"select {', '.join(landed)} from forms").to_arrow_table()
            originals = self._connection.sql(self._originals_sql(present)).to_arrow_table()
        finally:
            self._connection.unregister("clear")
            self._connection.unregister("forms")
        return Sealed(rows, originals.cast(ORIGINALS_SCHEMA))

    def close(self) -> None:
        """Let go of the key."""
        if "_connection" in self.__dict__:
            self._connection.close()

    def _forms_sql(self, present: Mapping[str, IdentifierKind]) -> str:
        """Each row as it is, and beside each identifier its hash and, of an address, the mailbox's."""
        spelling, addresses = self._protection.spelling, [name for name, kind in present.items() if kind == "email"]
        steps = [
            [f"{clean_sql(kind, column('plain', name))} as {column('clean', name)}" for name, kind in present.items()],
            [
                f"{form_sql(kind, column('clean', name), spelling)} as {column('form', name)}"
                for name, kind in present.items()
            ],
            [f"{mailbox_sql(column('form', name), spelling)} as {column('mailbox', name)}" for name in addresses],
            [sql for name, kind in present.items() for sql in self._hashes_sql(name, kind)],
        ]
        query = f"from (select *, {self._forgotten_sql or 'false'} as _is_forgotten from clear)"
        for added in steps:
            query = f"from (select *, {', '.join(added)} {query})" if added else query
        return f"select * {query}"

    def _hashes_sql(self, name: str, kind: IdentifierKind) -> list[str]:
        form, plain = column("form", name), column("plain", name)
        is_told = f"(coalesce(regexp_matches({plain}, {literal(_SOMETHING)}), false) and not _is_forgotten)"
        hashed = self._hash(kind, f"coalesce({form}, trim({plain}))")
        mark = f"case when {form} is null then {literal(UNREADABLE_MARK)} else '' end"
        found = [f"case when {is_told} then {mark} || {hashed} end as {column('sealed', name)}"]
        if kind == "email":
            mailbox = self._hash("mailbox", column("mailbox", name))
            found.append(
                f"case when {is_told} and {form} is not null then {mailbox} end as {column('sealed_mailbox', name)}"
            )
        return found

    def _hash(self, kind: str, text: str) -> str:
        return keyed_hash_sql(f"{literal(f'identifier/{kind}:')} || {text}")

    @cached_property
    def _forgotten_sql(self) -> str | None:
        """Whether a row's record was erased, whatever the source still sends, as SQL; None where nobody was."""
        if self._protection.identifies is None or not forgotten_records(self._protection.home).num_rows:
            return None
        kind, owner = self._protection.identifies
        told = f"coalesce(trim(cast({quoted_identifier(owner)} as varchar)), '')"
        record = keyed_hash_sql(f"{literal(self._source + RECORD_MARKS[kind])} || {told}")
        return f"{record} in (select record_key from forgotten)"

    @staticmethod
    def _sealed_column(name: str, kind: IdentifierKind | None) -> str:
        if kind is None:
            return quoted_identifier(name)
        sealed = f"{column('sealed', name)} as {quoted_identifier(name)}"
        beside = f", {column('sealed_mailbox', name)} as {quoted_identifier(name + MAILBOX_SUFFIX)}"
        return sealed + (beside if kind == "email" else "")

    def _originals_sql(self, present: Mapping[str, IdentifierKind]) -> str:
        parts = [
            f"select distinct {literal(kind)} as kind, {column('sealed', name)} as pseudonym, "
            f"trim(cast({quoted_identifier(name)} as varchar)) as original "
            f"from forms where {column('sealed', name)} is not null"
            for name, kind in present.items()
        ]
        nothing = "select null::varchar as kind, null::varchar as pseudonym, null::varchar as original where false"
        return " union all ".join([nothing, *parts])


def _seal_rows(sealer: Sealer, clear: Path, target: Path, originals: Path) -> None:
    with pq.ParquetFile(clear) as source, pq.ParquetWriter(originals, ORIGINALS_SCHEMA, compression="zstd") as kept:
        writer: pq.ParquetWriter | None = None
        try:
            for batch in _batches(source):
                sealed = sealer.seal(batch)
                if writer is None:
                    writer = pq.ParquetWriter(target, sealed.rows.schema, compression="zstd", store_schema=False)
                writer.write_table(sealed.rows, row_group_size=BATCH_ROWS)
                kept.write_table(sealed.originals)
        finally:
            if writer is not None:
                writer.close()
    make_durable(target)


def _batches(source: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The file's batches; of a file without rows one empty batch, so that its columns are written."""
    if source.metadata.num_rows == 0:
        yield pa.RecordBatch.from_pylist([], schema=source.schema_arrow)
    yield from source.iter_batches(batch_size=BATCH_ROWS)


def _seal_rejects(clear: Path, target: Path) -> None:
    """The list of unreadable records without their text, which may hold an identifier; the source's file has it."""
    rows = pq.read_table(clear)
    place = rows.schema.get_field_index("raw_line")
    blank = pa.nulls(rows.num_rows, pa.string())
    pq.write_table(rows.set_column(place, "raw_line", blank), target, compression="zstd", store_schema=False)
    make_durable(target)


def _with_plain_texts(batch: pa.RecordBatch, present: Mapping[str, IdentifierKind]) -> pa.Table:
    """The batch, and beside each identifier its text in NFKC form."""
    table = pa.Table.from_batches([batch])
    for name in present:
        text = pc.utf8_normalize(table.column(name).cast(pa.string()), form="NFKC")
        table = table.append_column(f"_plain_{name}", text)
    return table


def column(step: str, name: str) -> str:
    """The working column of an identifier at a step, quoted."""
    return quoted_identifier(f"_{step}_{name}")
