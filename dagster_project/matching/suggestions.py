"""Tonight's suggested merges, and the parameters behind them: two tables of the build's schema `quality`.

Belongs here: when merges are suggested, which scored pairs are worth a person's time, and what is told of them. Does
not belong here: scoring (`model.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from dagster_project.matching.fields import FIELDS, ComparedField
from dagster_project.matching.model import MatchingError, PairModel, require_splink
from dagster_project.matching.people import add_blocks, add_texts, load_people
from dagster_project.replaced_tables import replace_tables_in_batches
from dagster_project.settings import Settings
from dagster_project.sources.configured import spelling_of
from dagster_project.sources.engine import private_connection
from dagster_project.sources.originals import originals_path
from dagster_project.sql_text import literal

SUGGESTED_MERGES = {
    "customer_key": "varchar not null",
    "other_customer_key": "varchar not null",
    "match_probability": "double not null",
    "match_weight": "double not null",
    "evidence": "varchar not null",
    **{f"{field.name}_agreement": "varchar" for field in FIELDS},
    "record_name": "varchar not null",
    "other_record_name": "varchar not null",
    "count_orders": "bigint not null",
    "first_order_date": "date",
    "last_order_date": "date",
    "other_count_orders": "bigint not null",
    "other_first_order_date": "date",
    "other_last_order_date": "date",
}
MATCHING_PARAMETERS = {
    "field": "varchar not null",
    "agreement": "varchar not null",
    "same_person_share": "double",
    "other_people_share": "double",
    "match_weight": "double",
    "is_same_person_estimated": "boolean not null",
    "is_other_people_estimated": "boolean not null",
    "status": "varchar not null",
    "status_reason": "varchar",
}
MATCHING_TABLES = {"suggested_merges": SUGGESTED_MERGES, "matching_parameters": MATCHING_PARAMETERS}
WHOLE_MODEL, ANY = "whole model", "any"
"""Field and agreement of the one row of the parameters that every night has."""
MINIMUM_RECORDS = 100

Status = Literal["fitted", "off", "insufficient_data"]


@dataclass(frozen=True)
class Outcome:
    """Whether merges were suggested tonight, and if not, why."""

    status: Status
    reason: str | None = None


def write_suggested_merges(con: duckdb.DuckDBPyConnection, settings: Settings) -> Outcome:
    """Write both tables of the build that is open; without a model the pairs are empty and the parameters say why.

    Args:
        con: a connection to the build, whose customers are resolved.
        settings: the shop.

    Raises:
        MatchingError: merges are to be suggested, and Splink is not installed, or the engine cannot.
    """
    if not settings.definitions.identity.suggests_merges:
        outcome = Outcome("off", "definitions.identity.suggests_merges is not set")
        _write(con, outcome, None, None)
        return outcome
    require_splink()
    with _private_engine(settings.home) as private:
        records = load_people(private, con)
        keeps = settings.privacy.originals == "kept"
        has_originals = add_texts(private, originals_path(settings.home) if keeps else None, spelling_of(settings))
        add_blocks(private)
        model = PairModel(private, has_originals=has_originals)
        is_trained = records >= MINIMUM_RECORDS and model.train()
        pairs = likely_pairs(private, model, settings, _parted(con, settings)) if is_trained else None
    if pairs is None:
        told = f"{records} different records are too few, or too few of them agree, to learn from"
        outcome = Outcome("insufficient_data", told)
        _write(con, outcome, None, None)
        return outcome
    outcome = Outcome("fitted", None if has_originals else "originals are dropped, so only what is the same is seen")
    _write(con, outcome, model, pairs)
    return outcome


def likely_pairs(
    private: duckdb.DuckDBPyConnection, model: PairModel, settings: Settings, parted: Iterable[tuple[str, str]]
) -> pa.Table:
    """The pairs of customers to suggest, each by the two records of theirs that agree best; most likely first.

    Args:
        private: the engine that holds `people`.
        model: trained on them.
        settings: the shop.
        parted: pairs of customers whom the shop has said to be two people.
    """
    identity = settings.definitions.identity
    scored = model.score(identity.suggested_from)
    private.execute("create or replace table parted (one varchar, other varchar)")
    private.executemany("insert into parted values (?, ?)", [("", ""), *parted])
    return private.sql(
        f"""
        with begun as (
            select customer_key, min(began_at) as customer_began_at from people group by customer_key
        ),
        sides as (
            select people.*, begun.customer_began_at from people inner join begun using (customer_key)
        ),
        pairs as (
            select
                scored.*,
                {_told_first("customer_key")} as customer_key,
                {_told_second("customer_key")} as other_customer_key,
                {_told_first("record_name")} as record_name,
                {_told_second("record_name")} as other_record_name
            from {scored} as scored
            inner join sides as one on scored.record_key_l = one.record_key
            inner join sides as other on scored.record_key_r = other.record_key
            where not ({_has_been_weighed(identity.rules)})
        )
        select
            customer_key,
            other_customer_key,
            round(match_probability, 4) as match_probability,
            round(match_weight, 1) as match_weight,
            {_evidence(model)} as evidence,
            {", ".join(f"{_words(field, model)} as {field.name}_agreement" for field in FIELDS)},
            record_name,
            other_record_name
        from pairs
        anti join parted
            on least(customer_key, other_customer_key) = least(parted.one, parted.other)
            and greatest(customer_key, other_customer_key) = greatest(parted.one, parted.other)
        qualify row_number() over (
            partition by customer_key, other_customer_key
            order by pairs.match_weight desc, record_name asc, other_record_name asc
        ) = 1
        order by pairs.match_weight desc, customer_key, other_customer_key
        """
    ).to_arrow_table()


def _told_first(column: str) -> str:
    """Of two sides, that of the customer who was there first."""
    return (
        "case when (one.customer_began_at, one.customer_key) < (other.customer_began_at, other.customer_key) "
        f"then one.{column} else other.{column} end"
    )


def _told_second(column: str) -> str:
    return (
        "case when (one.customer_began_at, one.customer_key) < (other.customer_began_at, other.customer_key) "
        f"then other.{column} else one.{column} end"
    )


def _has_been_weighed(rules: Iterable[str]) -> str:
    """SQL: the rules saw all there is, an identifier in common and no name or birthday to tell whose it is."""
    shared = [
        f"one.{'mailbox' if rule == 'email' else rule} = other.{'mailbox' if rule == 'email' else rule}"
        for rule in rules
    ]
    unknown = [f"(one.{name} is null or other.{name} is null)" for name in ("full_name", "birthday")]
    return f"coalesce({' or '.join(shared)}, false) and {' and '.join(unknown)}"


def _words(field: ComparedField, model: PairModel) -> str:
    """SQL of the words for the agreement of a pair; null where the field is not known of both."""
    shares = model.shares.get(field.name, [])
    cases = " ".join(
        f"when {len(shares) - 1 - place} then {literal(share.agreement)}" for place, share in enumerate(shares)
    )
    return f"case gamma_{field.name} {cases} end" if shares else "cast(null as varchar)"


def _evidence(model: PairModel) -> str:
    """SQL of one line: what is known of both records, how it agrees, and for how much it counts."""
    parts = []
    for field in model.fields:
        rareness = f" + mw_tf_adj_{field.name}" if field.is_weighed_by_rareness else ""
        parts.append(
            f"{literal(field.name + ': ')} || {_words(field, model)} || printf(' (%+.1f)', mw_{field.name}{rareness})"
        )
    return f"concat_ws('; ', {', '.join(parts)})"


def _parted(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[tuple[str, str]]:
    """The customers of the records that the shop says are never the same."""
    pairs = settings.definitions.identity.never_the_same
    if not pairs:
        return []
    told = ", ".join(f"({literal(one)}, {literal(other)})" for one, other in pairs)
    owners = (
        "select records.record_name, identities.customer_key from scratch.intermediate.int_identity_records as records "
        "inner join scratch.intermediate.int_customer_identities as identities using (record_key)"
    )
    return con.execute(
        f"with owners as ({owners}) select one.customer_key, other.customer_key from (values {told}) as told (a, b) "
        "inner join owners as one on told.a = one.record_name inner join owners as other on told.b = other.record_name"
    ).fetchall()


def _write(con: duckdb.DuckDBPyConnection, outcome: Outcome, model: PairModel | None, pairs: pa.Table | None) -> None:
    """Write both tables, in one transaction."""
    columns = list(MATCHING_PARAMETERS)[:-2]
    shares = [share for told in model.shares.values() for share in told] if model else []
    rows = [
        (WHOLE_MODEL, ANY, model.prior if model else None, None, None, model is not None, False),
        *((*astuple(share)[:4], share.weight, *astuple(share)[4:]) for share in shares),
    ]
    told = {"status": outcome.status, "status_reason": outcome.reason}
    written: dict[str, Any] = {
        "matching_parameters": pa.Table.from_pylist(
            [dict(zip(columns, row, strict=True)) | told for row in rows],
            schema=pa.schema([(name, _ARROW[kind.split()[0]]) for name, kind in MATCHING_PARAMETERS.items()]),
        )
    }
    if pairs is not None:
        con.register("suggested_pairs", pairs)
        written["suggested_merges"] = con.sql(_WITH_FACTS).to_arrow_table()
        con.unregister("suggested_pairs")
    replace_tables_in_batches(con, "quality", [written], MATCHING_TABLES)


_ARROW = {"varchar": pa.string(), "double": pa.float64(), "boolean": pa.bool_()}
_WITH_FACTS = """
    select
        pairs.*,
        coalesce(one.count_orders, 0) as count_orders,
        one.first_order_date,
        one.last_order_date,
        coalesce(other.count_orders, 0) as other_count_orders,
        other.first_order_date as other_first_order_date,
        other.last_order_date as other_last_order_date
    from suggested_pairs as pairs
    inner join marts.dim_customers as customers on pairs.customer_key = customers.customer_key
    inner join marts.dim_customers as other_customers on pairs.other_customer_key = other_customers.customer_key
    left join marts.fct_customers as one on pairs.customer_key = one.customer_key
    left join marts.fct_customers as other on pairs.other_customer_key = other.customer_key
    order by pairs.match_weight desc, pairs.customer_key, pairs.other_customer_key
"""


@contextmanager
def _private_engine(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine of its own, in a folder that nobody else may enter; one thread, so that sums come out the same.

    Raises:
        MatchingError: the engine cannot; its message is kept back, as it may quote a name.
    """
    from splink.internals.exceptions import SplinkException

    home.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".matching-", dir=home) as folder,
        private_connection(spill_to=Path(folder)) as private,
    ):
        private.execute("set threads = 1")
        try:
            yield private
        except (duckdb.Error, SplinkException) as fault:
            raise MatchingError(
                f"merges cannot be suggested ({type(fault).__name__}); look for room on the disk of {home}, or turn "
                "definitions.identity.suggests_merges off"
            ) from None
