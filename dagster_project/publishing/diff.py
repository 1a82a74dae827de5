"""What differs between two published versions: tables and rows, headline metrics, definitions, code.

What belongs here: comparing what versions say of themselves, and the numbers that a person asks for first. What does
not: how it looks (`terminal`), and splitting a difference into its causes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb

from dagster_project.headlines import HEADLINES, reading
from dagster_project.publishing.audit import are_comparable, table_facts
from dagster_project.publishing.versions import DATABASE, Manifest, VersionError, read_manifest, require_version

Number: TypeAlias = tuple[float | None, str]
"""A metric's number and its unit; no number where there is none."""

# columns that every version has had, so that one made by earlier code can be compared
LATEST = """
select metric, period_type, metric_value, unit
from marts.loyalty_metrics
where segment_type = 'all'
qualify row_number() over (partition by metric, period_type order by period_start desc) = 1
"""


@dataclass(frozen=True)
class TableChange:
    """A table whose content differs; no rows on the side where there is no such table."""

    table: str
    rows_before: int | None
    rows_after: int | None

    @property
    def kind(self) -> str:
        """`added`, `removed`, or `changed`."""
        return "added" if self.rows_before is None else "removed" if self.rows_after is None else "changed"


@dataclass(frozen=True)
class MetricChange:
    """A headline metric whose number or period differs; None on a side where there is none."""

    metric: str
    period_type: str
    value_before: float | None
    value_after: float | None
    unit: str


@dataclass(frozen=True)
class Change:
    """Anything with a name that reads otherwise: a setting, the wording of a metric, a fingerprint."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Difference:
    """Two versions, and what differs from the first to the second."""

    before: Manifest
    after: Manifest
    tables: list[TableChange]
    metrics: list[MetricChange]
    definitions: list[Change]
    fingerprints: list[Change]

    @property
    def is_empty(self) -> bool:
        """Whether readers of the two see the same."""
        return not (self.tables or self.metrics or self.definitions or self.fingerprints)


def compare_versions(published: Path, before: str, after: str) -> Difference:
    """What differs from one version to another.

    Args:
        published: the folder of all versions.
        before: a version's name, as `loyalty versions` prints it.
        after: another's.

    Raises:
        VersionError: there is no such version, or its numbers cannot be read.
    """
    for version in (before, after):
        require_version(published, version)
    first, second = (read_manifest(published / "versions" / version) for version in (before, after))
    numbers = [_numbers(published / "versions" / version / DATABASE) for version in (before, after)]
    return Difference(
        before=first,
        after=second,
        tables=_tables(*_facts(published, first, second)),
        metrics=_metrics(*(found for found, _ in numbers)),
        definitions=[
            *_changes(first.definitions, second.definitions),
            *_changes(*(wording for _, wording in numbers)),
        ],
        fingerprints=_changes(first.fingerprint, second.fingerprint),
    )


def _facts(published: Path, first: Manifest, second: Manifest) -> list[Mapping[str, dict[str, Any]]]:
    """What both held: as their manifests say, where these were made alike; else read anew with this engine."""
    hashes = [facts["content_hash"] for manifest in (first, second) for facts in manifest.tables.values()]
    is_same_engine = first.fingerprint.get("duckdb") == second.fingerprint.get("duckdb")
    if is_same_engine and all(are_comparable(found, hashes[0]) for found in hashes):
        return [first.tables, second.tables]
    found: list[Mapping[str, dict[str, Any]]] = []
    for manifest in (first, second):
        with reading(published / "versions" / manifest.version / DATABASE) as con:
            found.append({table: asdict(table_facts(con, table)) for table in manifest.tables})
    return found


def _tables(before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> list[TableChange]:
    return [
        TableChange(table, before.get(table, {}).get("rows"), after.get(table, {}).get("rows"))
        for table in sorted({*before, *after})
        if before.get(table, {}).get("content_hash") != after.get(table, {}).get("content_hash")
    ]


def _metrics(before: Mapping[tuple[str, str], Number], after: Mapping[tuple[str, str], Number]) -> list[MetricChange]:
    absent: Number = (None, "")
    return [
        MetricChange(*key, old, new, unit or old_unit)
        for key in HEADLINES
        for (old, old_unit), (new, unit) in [(before.get(key, absent), after.get(key, absent))]
        if old != new
    ]


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    return [
        Change(name, _text(before.get(name)), _text(after.get(name)))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _text(setting: Any) -> str | None:
    return None if setting is None else str(setting)


def _numbers(database: Path) -> tuple[dict[tuple[str, str], Number], dict[str, str]]:
    """Each metric's latest number with its unit, by name and period, and how each metric's definition is worded."""
    try:
        with reading(database) as con:
            latest = con.execute(LATEST).fetchall()
            wordings = con.execute("select metric, definition from marts.metric_definitions").fetchall()
    except duckdb.Error as fault:
        raise VersionError(f"{database} cannot be read: {str(fault).splitlines()[0]}") from fault
    found = {(metric, period): (number, unit) for metric, period, number, unit in latest}
    return found, {f"definition of {metric}": definition for metric, definition in wordings}
