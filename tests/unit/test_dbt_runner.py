"""What dbt had open is closed when an invocation ends, so that the build may be moved."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.environments.local import LocalEnvironment

from dagster_project.dbt_runner import DbtRunner
from dagster_project.settings import load_settings

NIGHT = dt.date(2025, 12, 30)


@pytest.fixture
def dbt(tmp_path: Path) -> DbtRunner:
    runner = DbtRunner(load_settings(home=tmp_path / "home"))
    runner.warehouse.begin(NIGHT, {}, run="one")
    return runner


def opened_by_the_adapter(dbt: DbtRunner) -> LocalEnvironment:
    """The database of a build, opened as the adapter opens it for its threads."""
    environment = LocalEnvironment(DuckDBCredentials(path=str(dbt.warehouse.path)))
    DuckDBConnectionManager._ENV = environment
    return environment


def open_files(folder: Path) -> list[str]:
    """What this process has open in a folder."""
    handles = [handle for handle in Path("/proc/self/fd").iterdir() if handle.exists()]
    return [path.name for handle in handles if (path := handle.readlink()).parent == folder]


def test_a_build_is_closed_though_a_thread_of_dbt_still_has_hold_of_it(dbt: DbtRunner) -> None:
    log = dbt.warehouse.path.with_name("warehouse.duckdb.wal")
    with dbt.environment():
        held = opened_by_the_adapter(dbt).handle()
        held.cursor().execute("create table marts.kept as select 1 as number")
        assert log.exists()
        assert "warehouse.duckdb" in open_files(dbt.warehouse.work)
    assert not log.exists()
    assert open_files(dbt.warehouse.work) == []
    with dbt.warehouse.connect() as con:
        assert con.execute("from marts.kept").fetchall() == [(1,)]


def test_a_build_is_closed_though_the_invocation_failed_and_its_error_is_kept(dbt: DbtRunner) -> None:
    def failing() -> None:
        with dbt.environment():
            cursor = opened_by_the_adapter(dbt).handle().cursor()
            cursor.execute("create table marts.half as select 1 as number")
            cursor.execute("select error('a model that fails')")

    with pytest.raises(Exception, match="a model that fails") as kept:
        failing()
    assert open_files(dbt.warehouse.work) == []
    assert kept.value.__traceback__ is not None


def test_an_invocation_that_opened_nothing_has_nothing_to_close(dbt: DbtRunner) -> None:
    with dbt.environment():
        assert DuckDBConnectionManager._ENV is None
    assert open_files(dbt.warehouse.work) == []
