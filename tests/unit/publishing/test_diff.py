"""The difference of two versions, each small enough to see through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.publishing.audit import HASHED_BY
from dagster_project.publishing.diff import Change, MetricChange, TableChange, compare_versions
from dagster_project.publishing.versions import VersionError

METRICS = "metric, period_type, period_start, metric_value, unit, segment_type"


def version(published: Path, name: str, nps: float | None, repeat: float, wording: str, **manifest: Any) -> None:
    """A version with two headline metrics, one of two periods, and what it says of itself."""
    folder = published / "versions" / name
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "loyalty.duckdb")) as con:
        con.execute("create schema marts")
        con.execute("create table marts.metric_definitions as select 'nps' as metric, ? as definition", [wording])
        con.execute(
            f"create table marts.loyalty_metrics as select * from (values "
            "('nps', 'trailing_window', date '2025-11-01', 1.0, 'score', 'all'), "
            "('nps', 'trailing_window', date '2025-12-01', ?, 'score', 'all'), "
            "('repeat_purchase_rate', 'lifetime', date '2025-12-01', ?, 'share', 'all')"
            f") as t ({METRICS})",
            [nps, repeat],
        )
    said = {"version": name, "as_of": name[:10], "created_at": name, "business": "Shop", "tables": {}, "checks": {},
            "fingerprint": {"code": "c0"}, **manifest}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(said), encoding="utf-8")


def facts(rows: int, content_hash: str = "same") -> dict[str, Any]:
    return {"rows": rows, "content_hash": f"{HASHED_BY}-{content_hash}"}


def test_each_kind_of_difference_is_found_and_what_is_equal_is_not(tmp_path: Path) -> None:
    version(
        tmp_path, "2025-12-30_001", 10.0, 0.25, "old words",
        tables={"marts.a": facts(1), "marts.b": facts(2), "marts.c": facts(3)},
        definitions={"churn_horizon_days": 90, "margin_share": 0.3},
    )  # fmt: skip
    version(
        tmp_path, "2025-12-31_001", 12.5, 0.25, "new words",
        tables={"marts.a": facts(1), "marts.c": facts(3, "other"), "marts.d": facts(4)},
        definitions={"churn_horizon_days": 60, "margin_share": 0.3}, fingerprint={"code": "c1"},
    )  # fmt: skip
    found = compare_versions(tmp_path, "2025-12-30_001", "2025-12-31_001")
    assert found.tables == [
        TableChange("marts.b", 2, None), TableChange("marts.c", 3, 3), TableChange("marts.d", None, 4)
    ]  # fmt: skip
    assert [change.kind for change in found.tables] == ["removed", "changed", "added"]
    assert found.metrics == [MetricChange("nps", "trailing_window", 10.0, 12.5, "score")]
    assert found.definitions == [
        Change("churn_horizon_days", "90", "60"), Change("definition of nps", "old words", "new words")
    ]  # fmt: skip
    assert found.fingerprints == [Change("code", "c0", "c1")]


def test_a_number_that_comes_or_goes_is_a_difference(tmp_path: Path) -> None:
    version(tmp_path, "2025-12-30_001", None, 0.25, "w")
    version(tmp_path, "2025-12-31_001", 3.0, 0.25, "w")
    there = compare_versions(tmp_path, "2025-12-30_001", "2025-12-31_001").metrics
    back = compare_versions(tmp_path, "2025-12-31_001", "2025-12-30_001").metrics
    assert [(change.value_before, change.value_after) for change in (*there, *back)] == [(None, 3.0), (3.0, None)]


def test_a_version_does_not_differ_from_itself(tmp_path: Path) -> None:
    version(tmp_path, "2025-12-30_001", 10.0, 0.25, "w", tables={"marts.a": facts(1)})
    assert compare_versions(tmp_path, "2025-12-30_001", "2025-12-30_001").is_empty


@pytest.mark.parametrize(
    "other",
    [{"fingerprint": {"duckdb": "0.1"}}, {"tables": {"marts.metric_definitions": {"rows": 1, "content_hash": "0"}}}],
)
def test_versions_whose_hashes_were_made_otherwise_are_read_anew(tmp_path: Path, other: dict[str, Any]) -> None:
    tables = {"marts.metric_definitions": facts(1)}
    version(tmp_path, "2025-12-30_001", 10.0, 0.25, "w", **({"tables": tables} | other))
    version(tmp_path, "2025-12-31_001", 10.0, 0.25, "w", tables=tables)
    version(tmp_path, "2025-12-31_002", 10.0, 0.25, "other", tables=tables)
    assert compare_versions(tmp_path, "2025-12-30_001", "2025-12-31_001").tables == []
    assert compare_versions(tmp_path, "2025-12-30_001", "2025-12-31_002").tables == [
        TableChange("marts.metric_definitions", 1, 1)
    ]


def test_an_unknown_version_and_an_unreadable_one_are_named(tmp_path: Path) -> None:
    version(tmp_path, "2025-12-30_001", 10.0, 0.25, "w")
    with pytest.raises(VersionError, match=r"no version 'x' in .*; there are: 2025-12-30_001"):
        compare_versions(tmp_path, "2025-12-30_001", "x")
    database = tmp_path / "versions" / "2025-12-30_001" / "loyalty.duckdb"
    with duckdb.connect(str(database)) as con:
        con.execute("drop table marts.loyalty_metrics")
    with pytest.raises(VersionError, match=r"loyalty\.duckdb cannot be read: "):
        compare_versions(tmp_path, "2025-12-30_001", "2025-12-30_001")
