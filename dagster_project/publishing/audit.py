"""The audit: what must hold before anybody may read a night's build.

What belongs here: reading the evidence that checks and reconciliation left in schema `quality`, and saying no. What
does not: evaluating rules (`expectations/`), moving files (`versions.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from dagster_project.sql_text import quoted_identifier

PUBLISHED_SCHEMAS = ("marts", "models", "quality")
HASHED_BY = "rowhash"
"""How content hashes are made; part of each, so that those of another way are never taken for other rows."""


class AuditFailed(RuntimeError):
    """The build may not be published; the message names the first fault, the table that holds all, and the cure."""


@dataclass(frozen=True)
class TableFacts:
    """What a published table held: its rows, and a hash of their content that no order of rows changes."""

    rows: int
    content_hash: str


@dataclass(frozen=True)
class Audit:
    """What was found in order: checks, failures that warn or are waived, totals that agree, each table's facts."""

    count_checks: int
    warnings: tuple[str, ...]
    waived: tuple[str, ...]
    count_reconciled: int
    tables: dict[str, TableFacts]


def audit(con: duckdb.DuckDBPyConnection, expected_checks: Collection[tuple[str, str, str]]) -> Audit:
    """Everything that must hold, held.

    Args:
        con: a connection to the build.
        expected_checks: (layer, table, check) of every rule that must have been evaluated in this build.

    Raises:
        AuditFailed: a check did not run, a critical one failed, or totals of two layers differ.
    """
    results = con.execute(
        "select layer, table_name, check_name, severity, is_passed, observed, why, waiver, cure "
        "from quality.check_results order by all"
    ).fetchall()
    ran = {(layer, table, name) for layer, table, name, *_ in results}
    missing = sorted(set(expected_checks) - ran)
    if missing:
        layer, table, name = missing[0]
        raise AuditFailed(
            f"{len(missing)} checks did not run, the first is {name} on {layer}.{table}; "
            "a check that was not evaluated is no pass: run the night again from the raw layer"
        )
    waived = [result for result in results if not result[4] and result[7]]
    failed = [result for result in results if not result[4] and not result[7]]
    critical = [result for result in failed if result[3] == "critical"]
    if critical:
        layer, table, name, _, _, observed, why, _, cure = critical[0]
        raise AuditFailed(
            f"{len(critical)} critical checks failed, the first is {name} on {layer}.{table}: {observed}. {why} {cure} "
            "All are in quality.check_results of the work file"
        )
    return Audit(
        count_checks=len(results),
        warnings=tuple(f"{name} on {layer}.{table}: {observed}" for layer, table, name, _, _, observed, *_ in failed),
        waived=tuple(
            f"{name} on {layer}.{table}: {observed}; waived {waiver}"
            for layer, table, name, _, _, observed, _, waiver, _ in waived
        ),
        count_reconciled=_reconciled(con),
        tables={name: table_facts(con, name) for name in published_tables(con)},
    )


def _reconciled(con: duckdb.DuckDBPyConnection) -> int:
    rows = con.execute(
        "select layer_from, layer_to, entity, measure, total_from, total_to, difference, is_reconciled "
        "from quality.reconciliation order by all"
    ).fetchall()
    if not rows:
        raise AuditFailed("quality.reconciliation is empty: no total was compared; build the quality models again")
    broken = [row for row in rows if not row[7]]
    if broken:
        layer_from, layer_to, entity, measure, total_from, total_to, difference, _ = broken[0]
        raise AuditFailed(
            f"{len(broken)} totals differ, the first is {measure} of {entity}: {total_from} in {layer_from} against "
            f"{total_to} in {layer_to}, {difference} lost; all are in quality.reconciliation of the work file"
        )
    return len(rows)


def published_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """`schema.table` of every table of the public schemas, in name order."""
    rows = con.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where database_name = current_database() and list_contains(?, schema_name) order by all",
        [list(PUBLISHED_SCHEMAS)],
    ).fetchall()
    return [name for (name,) in rows]


def table_facts(con: duckdb.DuckDBPyConnection, table: str) -> TableFacts:
    """Row count and content hash: the engine's 64-bit hash of each row and a hash of that, each summed.

    No order of rows changes the two sums; one alone might stay when two rows change, both together do not by chance.
    They take a thirtieth of the processor time of MD5 over the row's text. The engine does not promise that its hash
    stays: 1.5.5 and 2.0.0 have the same; versions made by different engines are compared by reading both (`diff.py`).
    """
    columns = [column[:2] for column in con.execute(f"describe {table}").fetchall()]
    names = ", ".join(quoted_identifier(name) for name, _ in columns)
    [(rows, first, second)] = con.execute(
        "select count(*), coalesce(sum(row_hash), 0), coalesce(sum(hash(row_hash)), 0) "
        f"from (select hash({names}) as row_hash from {table})"
    ).fetchall()
    shape = hashlib.md5(repr(columns).encode(), usedforsecurity=False).hexdigest()
    return TableFacts(rows=int(rows), content_hash=f"{HASHED_BY}-{int(first):032x}{int(second):032x}-{shape}")


def are_comparable(content_hash: str, other: str) -> bool:
    """Whether two content hashes were made the same way: earlier code hashed the text of rows."""
    return content_hash.partition("-")[0] == other.partition("-")[0]
