"""The work files of a night: whose they are, and who knows the customer key."""

from __future__ import annotations

import datetime as dt
import fcntl
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from dagster_project.replaced_tables import replace_table_in_batches
from dagster_project.settings import Settings, load_settings
from dagster_project.warehouse import Warehouse, WarehouseError, without_values

NIGHT = dt.date(2025, 12, 30)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home")


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse(settings)


def test_a_build_begins_empty_with_its_schemas_and_raw_views(warehouse: Warehouse) -> None:
    warehouse.begin(NIGHT, {"till__orders": "select 1 as order_id"}, run="one")
    with warehouse.connect() as con:
        con.execute("create table marts.left_behind as select 1")
        assert con.execute("from scratch.raw.till__orders").fetchall() == [(1,)]
    warehouse.begin(NIGHT, {}, run="two")
    with warehouse.connect() as con:
        assert con.execute("select count(*) from duckdb_tables()").fetchall() == [(0,)]
        assert con.execute("select count(*) from duckdb_views() where not internal").fetchall() == [(0,)]
    build = warehouse.require(NIGHT)
    assert (build.as_of, build.run) == ("2025-12-30", "two")


def test_a_build_of_another_night_or_other_settings_is_refused(warehouse: Warehouse, settings: Settings) -> None:
    with pytest.raises(
        WarehouseError, match=r"no build is in progress in .*; materialise this night from the raw layer"
    ):
        warehouse.require(NIGHT)
    warehouse.begin(NIGHT, {}, run="one")
    with pytest.raises(
        WarehouseError, match=r"is of 2025-12-30, expected 2025-12-31; .*`loyalty run --as-of 2025-12-31`"
    ):
        warehouse.require(NIGHT + dt.timedelta(days=1))
    other = Warehouse(load_settings(home=settings.home, definitions={"margin_share": 0.9}))
    with pytest.raises(WarehouseError, match="the build of 2025-12-30 was begun under other settings"):
        other.require(NIGHT)
    warehouse.end("2025-12-30_001")
    assert warehouse.build() is None


def test_the_scratch_file_belongs_to_a_version_until_another_build_begins(warehouse: Warehouse) -> None:
    warehouse.begin(NIGHT, {}, run="one")
    assert warehouse.scratch_of("2025-12-30_001") is None
    warehouse.end("2025-12-30_001")
    assert warehouse.scratch_of("2025-12-30_001") == warehouse.scratch_path
    assert warehouse.scratch_of("2025-12-30_002") is None
    warehouse.begin(NIGHT, {}, run="two")
    assert warehouse.scratch_of("2025-12-30_001") is None


def test_a_begin_that_fails_leaves_no_build(warehouse: Warehouse) -> None:
    warehouse.begin(NIGHT, {}, run="one")
    with pytest.raises(duckdb.Error):
        warehouse.begin(NIGHT, {"till__orders": "from nowhere"}, run="two")
    assert warehouse.build() is None


def test_a_build_that_cannot_be_replaced_says_why_and_what_to_do(warehouse: Warehouse) -> None:
    warehouse.home.mkdir(parents=True)
    warehouse.work.write_text("a file where the folder of the build belongs")
    with pytest.raises(
        WarehouseError, match=r"the build in .*/work cannot be replaced: Not a directory; let this user"
    ):
        warehouse.begin(NIGHT, {}, "a run")


def test_a_home_is_held_by_one_run_at_a_time(warehouse: Warehouse, settings: Settings) -> None:
    with (
        warehouse.exclusive(),
        pytest.raises(WarehouseError, match=r"another run \(process \d+\) holds .*; wait for it to end"),
        Warehouse(settings).exclusive(),
    ):
        pass
    with warehouse.exclusive():
        pass


def test_a_home_is_held_as_long_as_its_process_lives_whatever_number_it_had(
    warehouse: Warehouse, settings: Settings
) -> None:
    assert not warehouse.is_held(), "nobody ever held it"
    program = (
        "import sys; from pathlib import Path; from dagster_project.settings import load_settings; "
        "from dagster_project.warehouse import Warehouse\n"
        "with Warehouse(load_settings(home=Path(sys.argv[1]))).exclusive(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(settings.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "held\n"
        assert warehouse.is_held()
        run.kill()
    (warehouse.home / "run.lock").write_text(f"process {os.getpid()}")  # after a restart another process has the number
    assert not warehouse.is_held()
    with warehouse.exclusive():
        assert Warehouse(settings).is_held()


def test_a_run_waits_out_who_only_looks_whether_a_home_is_held(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.exclusive():
        pass
    looking = (warehouse.home / "run.lock").open("rb")
    fcntl.flock(looking, fcntl.LOCK_SH)
    waited = []

    def looked(seconds: float) -> None:
        waited.append(seconds)
        looking.close()

    monkeypatch.setattr(time, "sleep", looked)
    with warehouse.exclusive():
        assert len(waited) == 1


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_the_customer_key_is_made_once_and_for_its_owner_alone(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOYALTY_KEY", raising=False)
    secret = warehouse.secret()
    assert len(secret) == 64
    assert warehouse.secret() == secret
    assert (warehouse.home / "customer_key.secret").stat().st_mode & 0o777 == 0o600


def test_the_customer_key_of_the_environment_wins_and_is_not_written(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOYALTY_KEY", raising=False)
    made = warehouse.secret()
    monkeypatch.setenv("LOYALTY_KEY", "given")
    assert warehouse.secret() == "given"
    assert (warehouse.home / "customer_key.secret").read_text() == made


def test_a_build_is_settled_whoever_forgot_to_close_it(warehouse: Warehouse) -> None:
    """A connection in a cycle of references, which nobody but the garbage collector closes."""
    warehouse.begin(NIGHT, {}, run="one")
    log = warehouse.path.with_name("warehouse.duckdb.wal")
    gc.disable()
    try:
        cycle: list[object] = [duckdb.connect(str(warehouse.path), config=warehouse.engine_config())]
        cycle[0].execute("create table marts.kept as select 1 as number")  # type: ignore[attr-defined]
        cycle.append(cycle)
        del cycle
        assert log.exists()
        warehouse.settle()
    finally:
        gc.enable()
    assert not log.exists()
    with duckdb.connect(str(warehouse.path), read_only=True) as con:
        assert con.execute("select number from marts.kept").fetchall() == [(1,)]


def test_a_build_is_closed_though_the_error_that_ended_its_writing_is_remembered(warehouse: Warehouse) -> None:
    """Batches come from an Arrow reader, which is left in the middle as a row does not fit."""
    warehouse.begin(NIGHT, {}, run="one")

    def batches(con: duckdb.DuckDBPyConnection) -> Iterator[pd.DataFrame]:
        for batch in con.sql("select range as number from range(100_000)").to_arrow_reader(1_000):
            yield batch.to_pandas()

    def write() -> None:
        with warehouse.connect() as con, con.cursor() as cursor:
            cursor.execute("create table marts.earlier as select 1 as number")
            replace_table_in_batches(con, "models", "small", batches(cursor), {"number": "utinyint"})

    with pytest.raises(duckdb.ConversionException) as remembered:
        write()
    assert not warehouse.path.with_name("warehouse.duckdb.wal").exists()
    assert remembered.value.__traceback__ is not None
    warehouse.begin(NIGHT, {}, run="two")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "Conversion Error: Could not convert string 'jane@example.com' to INT32\nLINE 1",
            "Conversion Error: Could not convert string '...' to INT32 LINE 1",
        ),
        ("Catalog Error: Table 'orders' does not exist", "Catalog Error: Table 'orders' does not exist"),
    ],
)
def test_an_error_of_a_cast_keeps_its_values_to_itself(message: str, shown: str) -> None:
    assert without_values(message) == shown
