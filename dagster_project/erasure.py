"""Erasure: a customer's identifiers leave the landing zone and the file of originals, and are never let in again.

What belongs here: who is meant, and doing it in an order that a crash cannot spoil: first the list of the forgotten,
then the rest, which a second call finishes. What does not: sealing new deliveries (`sources/sealing.py`), the night
after, in which accounts and orders of the forgotten are nobody's (`int_customers_united`), removing old versions
(`publishing`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dagster_project.durable_files import make_durable
from dagster_project.keyed_hashes import keyed_hash_sql, set_keys
from dagster_project.settings import Settings
from dagster_project.sources.configured import source_tables
from dagster_project.sources.engine import private_connection
from dagster_project.sources.forgotten import remember_forgotten
from dagster_project.sources.identifiers import MAILBOX_SUFFIX
from dagster_project.sources.ledger import (
    TEMPORARY_PREFIX,
    Load,
    digest_of,
    only_writer,
    read_ledger,
    rows_path,
    table_folder,
    write_ledger,
)
from dagster_project.sources.originals import remove_originals
from dagster_project.sources.protection import RECORD_MARKS, Protection, RecordKind
from dagster_project.sources.tables import SourceTable
from dagster_project.sql_text import literal, quoted_identifier
from dagster_project.warehouse import Warehouse


class ErasureError(RuntimeError):
    """Nobody can be forgotten; the message says what was found and what to do."""


@dataclass(frozen=True)
class Record:
    """An account or a guest's order of somebody."""

    source: str
    kind: RecordKind
    id: str

    @property
    def name(self) -> str:
        """As settings and commands write it."""
        return f"{self.source}{RECORD_MARKS[self.kind]}{self.id}"


@dataclass(frozen=True)
class Erasure:
    """What was done: whose, and how many landed rows and originals lost their identifiers."""

    records: tuple[Record, ...]
    rows: int
    originals: int


def forget(settings: Settings, customer: str, now: dt.datetime) -> Erasure:
    """Erase a customer, with all accounts and guests' orders that the last build knows as theirs.

    Args:
        settings: the shop.
        customer: `source:customer_id`, `source/guest_order:order_id`, or a `customer_key`.
        now: the moment, with a time zone.

    Raises:
        ErasureError: nobody is known by that name.
        WarehouseError: a run holds this home.
    """
    warehouse = Warehouse(settings)
    with warehouse.exclusive():
        records = _records_of(warehouse, customer)
        with private_connection() as con:
            set_keys(con, warehouse.secret())
            names = ", ".join(f"({literal(record.name)})" for record in records)
            keys = con.execute(f"select {keyed_hash_sql('name')} from (values {names}) as told (name)").fetchall()
        remember_forgotten(settings.home, [key for (key,) in keys], now)
        landing, rows, removed = settings.home / "landing", 0, set()
        protected = [(table, table.protection) for table in source_tables(settings) if table.protection is not None]
        for table, protection in protected:
            blanked, found = _blank_table(table, protection, records, landing)
            rows += blanked
            removed |= found
        for table, protection in protected:
            for load in read_ledger(table, landing):
                if removed:  # what somebody else shares stays
                    is_one = f"held in ({', '.join(literal(one) for one in sorted(removed))})"
                    removed -= _pseudonyms(_rows(table, load, landing), protection, load, having=is_one)
        return Erasure(tuple(records), rows, remove_originals(settings.home, removed))


def _records_of(warehouse: Warehouse, customer: str) -> list[Record]:
    """The records of the customer whom the last build knows by this name."""
    if not warehouse.scratch_path.exists():
        raise ErasureError(f"no build lies in {warehouse.work}, so nobody is known; run `loyalty run` first")
    everybody = (
        "select customer_key, source_name, 'account' as record_kind, customer_id as record_id "
        "from scratch.intermediate.int_customers_united union all "
        "select customer_key, source_name, record_kind, record_id "
        "from scratch.intermediate.int_customer_identities where record_kind = 'guest_order'"
    )
    name = f"source_name || case record_kind {_marks_sql()} end || record_id"
    with duckdb.connect() as con:
        con.execute(f"attach {literal(warehouse.scratch_path)} as scratch (read_only)")
        found = con.execute(
            f"with everybody as ({everybody}) select source_name, record_kind, record_id from everybody "
            f"where customer_key in (select customer_key from everybody where customer_key = $1 or {name} = $1) "
            "order by all",
            [customer],
        ).fetchall()
    if not found:
        raise ErasureError(
            f"the last build knows no customer {customer!r}; write source:customer_id, source/guest_order:order_id, "
            "or a customer_key of marts.dim_customers"
        )
    return [Record(*row) for row in found]


def _marks_sql() -> str:
    return " ".join(f"when {literal(kind)} then {literal(mark)}" for kind, mark in RECORD_MARKS.items())


def _blank_table(
    table: SourceTable, protection: Protection, records: Iterable[Record], landing: Path
) -> tuple[int, set[str]]:
    """Write a table's loads anew without the identifiers of some records; gives the rows of theirs, and what they held.

    While a load is written its ledger entry has no hash: one that a crash leaves so is as sound as it stands.
    """
    if protection.identifies is None:
        return 0, set()
    kind, column = protection.identifies
    ids = [record.id for record in records if (record.source, record.kind) == (table.source, kind)]
    if not ids:
        return 0, set()
    is_theirs = f"trim(cast({quoted_identifier(column)} as varchar)) in ({', '.join(literal(one) for one in ids)})"
    rows, removed = 0, set()
    with only_writer(table, landing):
        ledger = read_ledger(table, landing)
        held = {load.load_id: _pseudonyms(_rows(table, load, landing), protection, load, is_theirs) for load in ledger}
        theirs = {load.load_id: load for load in ledger if held[load.load_id]}
        if theirs:
            write_ledger(
                table, landing, [_with_digest(load, "") if load.load_id in theirs else load for load in ledger]
            )
        digests = {}
        for load_id, load in theirs.items():
            path = _rows(table, load, landing)
            rows += _blank(path, is_theirs, _columns(protection, load))
            removed |= held[load_id]
            digests[load_id] = digest_of(path)
        if theirs:
            write_ledger(
                table, landing, [_with_digest(load, digests.get(load.load_id, load.landed_sha256)) for load in ledger]
            )
    return rows, removed


def _with_digest(load: Load, digest: str) -> Load:
    return replace(load, landed_sha256=digest)


def _blank(path: Path, is_theirs: str, columns: Iterable[str]) -> int:
    """Write a Parquet file anew without some columns of some rows; says how many rows."""
    blanked = ", ".join(
        f"case when {is_theirs} then null else {quoted_identifier(name)} end as {quoted_identifier(name)}"
        for name in columns
    )
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}")
    with private_connection() as con:
        [(count,)] = con.execute(f"select count(*) from {_parquet(path)} where {is_theirs}").fetchall()
        con.execute(
            f"copy (select * replace ({blanked}) from {_parquet(path)}) to {literal(temporary)} "
            "(format parquet, compression zstd)"
        )
    make_durable(temporary)
    temporary.replace(path)
    make_durable(path.parent)
    return int(count)


def _pseudonyms(
    path: Path, protection: Protection, load: Load, where: str = "true", having: str = "held is not null"
) -> set[str]:
    """The keyed hashes in some rows of a load, each as `held`, of which a condition holds."""
    names = _columns(protection, load)
    if not names or not path.exists():
        return set()
    parts = [f"select {quoted_identifier(name)} as held from {_parquet(path)} where {where}" for name in names]
    with private_connection() as con:
        rows = con.execute(f"select distinct held from ({' union all '.join(parts)}) where {having}").fetchall()
    return {held for (held,) in rows}


def _columns(protection: Protection, load: Load) -> list[str]:
    """The columns of a load that hold keyed hashes."""
    sealed = [name for name, _ in protection.identifiers]
    return [name for name in (*sealed, *(f"{one}{MAILBOX_SUFFIX}" for one in sealed)) if name in load.columns]


def _rows(table: SourceTable, load: Load, landing: Path) -> Path:
    return rows_path(table_folder(table, landing), load.load_id)


def _parquet(path: Path) -> str:
    return f"read_parquet({literal(path)}, hive_partitioning=false)"
