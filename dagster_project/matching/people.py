"""The records that are compared: what the build knows of them, and their originals where the shop keeps these.

They lie in a private engine that no file of the warehouse belongs to, for the minutes of a comparison; what it cannot
hold in memory it writes into a folder that nobody else may enter.

Belongs here: the table `people`, one row per customer and different set of identifiers, and the blocks in which its
rows are compared. Does not belong here: how they are compared (`fields.py`, `model.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dagster_project.sources.identifiers import IdentifierKind, Spelling, clean_sql, form_sql, mailbox_sql
from dagster_project.sources.originals import ORIGINALS_SCHEMA

LARGEST_BLOCK = 50
"""An identifier, name or birthday that more rows share opens no block: rows times half of this bounds the pairs."""
PLACEHOLDER_SHARE = 0.01
"""A birthday of so many is what a form puts in for those who gave none."""
BATCH_ROWS = 65_536

_RECORDS = """
    select
        identities.customer_key,
        identities.record_key,
        records.record_name,
        identities.began_at,
        records.loyalty_card,
        records.mailbox,
        records.email,
        records.phone,
        records.social_handle,
        records.full_name,
        records.birthday
    from scratch.intermediate.int_customer_identities as identities
    inner join scratch.intermediate.int_identity_records as records on identities.record_key = records.record_key
"""
_DIFFERENT = ("customer_key", "loyalty_card", "mailbox", "phone", "social_handle", "full_name", "birthday")
_TEXTS: dict[str, IdentifierKind] = {"full_name": "name", "birthday": "birthday", "email": "email", "phone": "phone"}
_WIDELY_SHARED = ("loyalty_card", "mailbox", "phone", "social_handle")
BLOCKS = {
    "by_card": "loyalty_card",
    "by_mailbox": "mailbox",
    "by_phone": "phone",
    "by_handle": "social_handle",
    "by_name": "full_name",
    "by_name_and_birthday": "full_name || '|' || birthday",
    "by_first_word_and_birthday": "name_words[1] || '|' || birthday",
    "by_last_word_and_birthday": "name_words[-1] || '|' || birthday",
    "by_mailbox_name": "mailbox_name",
}
"""Rows are compared with those of the same block: its column, and the SQL of what they share."""


def load_people(private: duckdb.DuckDBPyConnection, build: duckdb.DuckDBPyConnection) -> int:
    """Write the table `people` with hashes alone; says how many rows it has.

    Args:
        private: the engine to compare in.
        build: a connection to the build of a night.
    """
    private.register("records", build.sql(_RECORDS).to_arrow_reader(BATCH_ROWS))
    first = "order by began_at, record_key"
    rest = ("record_key", "record_name", "began_at", "email")
    private.execute(
        f"create table people as select {', '.join(_DIFFERENT)}, "
        + ", ".join(f"first({name} {first}) as {name}" for name in rest)
        + f" from records group by {', '.join(_DIFFERENT)}"
    )
    private.unregister("records")
    [(count,)] = private.execute("select count(*) from people").fetchall()
    return int(count)


def add_texts(private: duckdb.DuckDBPyConnection, originals: Path | None, spelling: Spelling) -> bool:
    """Put the clear forms of names, birthdays, addresses and numbers beside their hashes.

    Args:
        private: the engine that holds `people`.
        originals: the file that holds them; None where the shop drops them.
        spelling: what the shop takes for the same.

    Returns:
        Whether there are any; without, the columns are null.
    """
    has_originals = originals is not None and originals.exists()
    batches = _originals(originals) if originals and has_originals else iter(())
    private.register("originals", pa.RecordBatchReader.from_batches(ORIGINALS_SCHEMA, batches))
    cleaned = " ".join(f"when '{kind}' then {clean_sql(kind, 'original')}" for kind in _TEXTS.values())
    formed = " ".join(f"when '{kind}' then {form_sql(kind, 'clean', spelling)}" for kind in _TEXTS.values())
    private.execute(
        "create table texts as with told as ("
        + " union ".join(
            f"select '{kind}' as kind, {column} as pseudonym from people" for column, kind in _TEXTS.items()
        )
        + f"), cleaned as (select kind, pseudonym, case kind {cleaned} end as clean from originals "
        f"semi join told using (kind, pseudonym)) select kind, pseudonym, case kind {formed} end as form from cleaned"
    )
    private.unregister("originals")
    joined = " ".join(
        f"left join texts as {kind} on {kind}.kind = '{kind}' and people.{column} = {kind}.pseudonym"
        for column, kind in _TEXTS.items()
    )
    private.execute(
        "create or replace table people as select people.*, name.form as name_text, "
        "string_split(name.form, ' ') as name_words, birthday.form as birthday_text, phone.form as phone_text, "
        f"split_part({mailbox_sql('email.form', spelling)}, '@', 1) as mailbox_name from people {joined}"
    )
    private.execute("drop table texts")
    return has_originals


def add_blocks(private: duckdb.DuckDBPyConnection) -> None:
    """Forget what too many share, and put the blocks beside the rest, in the order of keys."""
    private.execute(
        "create or replace table people as select * replace ("
        + ", ".join(_unless_shared(name, f"{LARGEST_BLOCK}") + f" as {name}" for name in _WIDELY_SHARED)
        + f", {_unless_shared('birthday', f'greatest({LARGEST_BLOCK}, {PLACEHOLDER_SHARE} * count(*) over ())')}"
        " as birthday) from people"
    )
    private.execute(
        "create or replace table people as with keyed as (select *, "
        + ", ".join(f"{key} as {block}" for block, key in BLOCKS.items())
        + " from people) select * replace ("
        + ", ".join(_unless_shared(block, f"{LARGEST_BLOCK}") + f" as {block}" for block in BLOCKS)
        + ") from keyed order by record_key"
    )


def _unless_shared(name: str, most: str) -> str:
    return f"case when count(*) over (partition by {name}) <= {most} then {name} end"


def _originals(path: Path) -> Iterator[pa.RecordBatch]:
    """The file of originals in NFKC form, in which forms are made, batch after batch."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            plain = pc.utf8_normalize(batch.column("original"), form="NFKC")
            yield pa.RecordBatch.from_arrays(
                [batch.column("kind"), batch.column("pseudonym"), plain], schema=ORIGINALS_SCHEMA
            )
