"""The folder of a simulated shop: the same bytes for the same plan, whole or not at all, and readable as it is."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from dagster_project.sources.simulated_shop import Dirt, ShopPlan, assembly, simulate
from dagster_project.sources.simulated_shop.blocks import draw_block
from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.feeds import FEEDS
from dagster_project.sources.simulated_shop.people import PEOPLE_PER_BLOCK
from dagster_project.sources.simulated_shop.writer import EXPORTED_AS
from dagster_project.sources.tables import SourceError

PLAN = ShopPlan(customers=300, days=365)
DIRT = Dirt("moderate")
GOLDEN = Path(__file__).with_name("golden_shop.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "shop"
    assert simulate(PLAN, out, DIRT)
    return out


def contents(folder: Path) -> dict[str, str]:
    """A hash of what each file says: of the text of a CSV, of the rows of a Parquet file."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            said = json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        else:
            said = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found[path.relative_to(folder).as_posix()] = hashlib.sha256(said).hexdigest()
    return found


def file_bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_plan_gives_the_same_bytes_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    simulate(PLAN, tmp_path / "again", DIRT)
    again = file_bytes(tmp_path / "again")
    assert again == file_bytes(folder)
    simulate(replace(PLAN, seed=8), tmp_path / "other", DIRT)
    others = file_bytes(tmp_path / "other")
    assert others.keys() == again.keys()
    assert {name for name in again if others[name] == again[name]} == {
        "survey_questions.csv",
        "campaigns.csv",
        "marketing_costs.csv",
    }


def test_the_shop_is_the_one_that_this_version_has_always_made(folder: Path) -> None:
    """RENEW_GOLDEN=1 writes it anew, after a change that is meant: raise the format in `assembly.py` then."""
    found = contents(folder)
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_feed_is_exported_in_its_own_way_and_the_truth_apart(folder: Path) -> None:
    exported = {path.name for path in folder.iterdir() if path.is_file()} - {assembly.MARKER_NAME}
    assert exported == {f"{feed}.{EXPORTED_AS.get(feed, 'csv')}" for feed in FEEDS}
    for feed in FEEDS:
        path = folder / f"{feed}.{EXPORTED_AS.get(feed, 'csv')}"
        reader = "read_parquet" if path.suffix == ".parquet" else "read_csv"
        columns = duckdb.sql(f"from {reader}('{path}') limit 0").columns
        assert tuple(columns) == FEEDS[feed].columns
    assert {"persons.parquet", "orders.parquet", "accounts.parquet", "dirt.parquet", "shop.json"} <= {
        path.name for path in (folder / assembly.TRUTH).iterdir()
    }


def test_exports_are_in_order_of_time(tmp_path: Path) -> None:
    simulate(PLAN, tmp_path / "clean")
    for feed, described in FEEDS.items():
        if described.happened_at is None or EXPORTED_AS.get(feed) == "parquet":
            continue
        path = tmp_path / "clean" / f"{feed}.{EXPORTED_AS.get(feed, 'csv')}"
        moments = duckdb.sql(f"select {described.happened_at} from read_csv('{path}', all_varchar = true)").fetchall()
        assert moments == sorted(moments), feed
        assert moments, feed


def test_parquet_holds_the_rows_of_the_exports(tmp_path: Path) -> None:
    simulate(PLAN, tmp_path / "csv")
    simulate(PLAN, tmp_path / "parquet", file_format="parquet")
    for feed in FEEDS:
        exported = tmp_path / "csv" / f"{feed}.{EXPORTED_AS.get(feed, 'csv')}"
        typed = tmp_path / "parquet" / f"{feed}.parquet"
        columns = ", ".join(f"nullif({name}::varchar, '') as {name}" for name in FEEDS[feed].columns)
        read = f"read_csv('{exported}', all_varchar = true)" if "csv" in exported.name else f"'{exported}'"
        both = [duckdb.sql(f"select {columns} from {rows} order by all").fetchall() for rows in (read, f"'{typed}'")]
        assert both[0] == both[1], feed


def test_a_block_does_not_depend_on_how_many_others_there_are() -> None:
    two, three = (draw_block(Calendar(ShopPlan(customers=blocks * PEOPLE_PER_BLOCK, days=120)), 0) for blocks in (2, 3))
    assert two.people.rate.tolist() == three.people.rate.tolist()
    assert two.purchases.second.tolist() == three.purchases.second.tolist()
    assert two.lines.unit_cents.tolist() == three.lines.unit_cents.tolist()


def test_a_shop_of_two_blocks_has_every_key_once(tmp_path: Path) -> None:
    simulate(ShopPlan(customers=PEOPLE_PER_BLOCK + 200, days=90), tmp_path / "shop", file_format="parquet")
    for feed, described in FEEDS.items():
        key = ", ".join(described.key)
        path = tmp_path / "shop" / f"{feed}.parquet"
        [(rows, keys)] = duckdb.sql(f"select count(*), count(distinct row({key})) from '{path}'").fetchall()
        assert rows == keys, feed
    groups = pq.ParquetFile(tmp_path / "shop" / "orders.parquet").num_row_groups
    assert groups == 2, "a row group a block keeps the memory bounded"


def test_a_second_call_does_nothing_and_another_plan_replaces(tmp_path: Path) -> None:
    out, plan = tmp_path / "shop", ShopPlan(customers=100, days=90)
    assert simulate(plan, out)
    inode = out.stat().st_ino
    assert not simulate(plan, out)
    assert out.stat().st_ino == inode
    for other in ({"plan": replace(plan, seed=1)}, {"dirt": DIRT}, {"file_format": "parquet"}, {"deliver": "daily"}):
        assert simulate(**{"plan": plan, "out": out} | other), other
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a\n1\n")
    with pytest.raises(SourceError, match="holds files that no simulation wrote"):
        simulate(PLAN, tmp_path)
    assert (tmp_path / "mine.csv").read_text() == "a\n1\n"


def test_a_failure_leaves_the_earlier_shop_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, plan = tmp_path / "shop", ShopPlan(customers=100, days=90)
    simulate(plan, out)
    before = file_bytes(out)

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(assembly, "export_sorted", fails)
    with pytest.raises(OSError, match="no space left"):
        simulate(replace(plan, seed=2), out)
    assert file_bytes(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"customers": 99}, "99 customers over 730 days is too small"),
        ({"days": 89}, "is too small"),
        ({"observed_days": 20}, "20 of 730 planned days are observed"),
        ({"countries": (("DE", "EUR", 0.5),)}, "add up to 0.5, expected 1"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        ShopPlan(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(("customers", "days", "seed"), [(100, 90, 0), (100, 90, 1), (300, 400, 2)])
def test_the_shop_sells_on_its_last_day(customers: int, days: int, seed: int, tmp_path: Path) -> None:
    simulate(ShopPlan(customers, days, dt.date(2024, 2, 29), seed), tmp_path / "shop")
    orders = tmp_path / "shop" / "orders.csv.gz"
    [(latest,)] = duckdb.sql(f"select max(ordered_at)::date from read_csv('{orders}')").fetchall()
    assert latest == dt.date(2024, 2, 29)


def test_days_lie_in_folders_and_hold_every_order(tmp_path: Path) -> None:
    plan = ShopPlan(customers=100, days=90)
    simulate(plan, tmp_path / "whole", DIRT)
    simulate(plan, tmp_path / "daily", DIRT, deliver="daily")
    days = sorted(path.name for path in (tmp_path / "daily").iterdir() if path.is_dir() and path.name != "truth")
    assert days[0] >= plan.first_day.isoformat()
    assert days[-1] == plan.last_day.isoformat()
    ids = "select distinct order_id from read_csv('{}', all_varchar = true) order by 1"
    whole = duckdb.sql(ids.format(tmp_path / "whole" / "orders.csv.gz")).fetchall()
    assert duckdb.sql(ids.format(tmp_path / "daily" / "*" / "orders*.csv")).fetchall() == whole
