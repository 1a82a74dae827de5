"""Landing as a transaction: once, whole, in order, and still there afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_cases import FIRST_NIGHT, Rows

from dagster_project.sources import landing as landing_module
from dagster_project.sources.landing import current_loads, land, raw_select_sql, rejects_select_sql
from dagster_project.sources.tables import FixedField, SourceError, SourceTable

SECOND_NIGHT = FIRST_NIGHT + timedelta(days=1)
THIRD_NIGHT = FIRST_NIGHT + timedelta(days=2)
A = "order_id,amount\no1,10\no2,\n"
B = "order_id,amount\no1,10\no2,20\no3,30\n"


def ledger(table: SourceTable, landing: Path) -> list[dict[str, object]]:
    entries = json.loads((landing / table.source / table.table / "loads.json").read_text())
    assert isinstance(entries, list)
    return entries


def test_landing_keeps_columns_and_adds_provenance(orders: SourceTable, landing: Path, landed_rows: Rows) -> None:
    (orders.folder / "orders.csv").write_text(A)
    landed = land(orders, landing, FIRST_NIGHT)
    (load,) = current_loads(orders, landing)
    assert (landed.rows, landed.rejected, landed.files_seen, landed.files_new) == (2, 0, 1, 1)
    assert landed.columns == {"order_id": "VARCHAR", "amount": "VARCHAR"}
    assert landed.bytes == len(A)
    moment = FIRST_NIGHT.replace(tzinfo=None)
    assert landed_rows(orders) == [
        ("o1", "10", "demo", "orders.csv", moment, load.load_id, 1),
        ("o2", None, "demo", "orders.csv", moment, load.load_id, 2),
    ]
    described = duckdb.sql(f"describe {raw_select_sql(orders, landing)}").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("order_id", "VARCHAR"),
        ("amount", "VARCHAR"),
        ("_source", "VARCHAR"),
        ("_file", "VARCHAR"),
        ("_loaded_at", "TIMESTAMP"),
        ("_load_id", "VARCHAR"),
        ("_row_number", "BIGINT"),
    ]


def test_landing_twice_adds_nothing(orders: SourceTable, landing: Path, landed_rows: Rows) -> None:
    (orders.folder / "orders.csv").write_text(A)
    first = land(orders, landing, FIRST_NIGHT)
    before = {path.name: path.stat().st_mtime_ns for path in (landing / "demo/orders").iterdir()}
    again = land(orders, landing, SECOND_NIGHT)
    after = {path.name: path.stat().st_mtime_ns for path in (landing / "demo/orders").iterdir()}
    assert (again.rows, again.files_new, again.rows_new) == (first.rows, 0, 0)
    assert again.load_ids == first.load_ids
    assert {name: time for name, time in after.items() if name != ".lock"} == {
        name: time for name, time in before.items() if name != ".lock"
    }
    assert len(landed_rows(orders)) == 2


def test_changed_file_replaces_its_rows_and_going_back_is_a_third_delivery(
    orders: SourceTable, landing: Path, landed_rows: Rows
) -> None:
    for night, content in ((FIRST_NIGHT, A), (SECOND_NIGHT, B), (THIRD_NIGHT, A)):
        (orders.folder / "orders.csv").write_text(content)
        assert land(orders, landing, night).files_new == 1
    entries = ledger(orders, landing)
    assert [entry["rows"] for entry in entries] == [2, 3, 2]
    assert entries[0]["load_id"] == entries[2]["load_id"] != entries[1]["load_id"]
    assert len(list((landing / "demo/orders").glob("*.parquet"))) == 2
    assert len(landed_rows(orders)) == 2
    assert len(landed_rows(orders, SECOND_NIGHT)) == 3
    assert len(landed_rows(orders, SECOND_NIGHT - timedelta(seconds=1))) == 2
    with pytest.raises(SourceError, match="nothing was landed by"):
        landed_rows(orders, FIRST_NIGHT - timedelta(seconds=1))


def test_known_at_counts_moments_not_wall_clocks(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_text(A)
    land(orders, landing, FIRST_NIGHT.astimezone(timezone(timedelta(hours=8))))
    assert current_loads(orders, landing, FIRST_NIGHT)[0].loaded_at == FIRST_NIGHT
    with pytest.raises(ValueError, match="no time zone"):
        land(orders, landing, datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        current_loads(orders, landing, datetime(2026, 1, 1))  # noqa: DTZ001


def test_vanished_file_keeps_its_last_load(shop: Path, landing: Path, landed_rows: Rows) -> None:
    table = SourceTable("demo", "orders", shop, "day_*.csv", "csv", ("order_id",))
    for day in (1, 2):
        (shop / f"day_{day}.csv").write_text(f"order_id\no{day}\n")
    land(table, landing, FIRST_NIGHT)
    (shop / "day_1.csv").unlink()
    assert land(table, landing, SECOND_NIGHT).rows == 1
    assert [row[0] for row in landed_rows(table)] == ["o1", "o2"]


def test_compressed_successor_replaces_the_plain_file(orders: SourceTable, landing: Path, landed_rows: Rows) -> None:
    import gzip

    (orders.folder / "orders.csv").write_text(A)
    land(orders, landing, FIRST_NIGHT)
    (orders.folder / "orders.csv").unlink()
    (orders.folder / "orders.csv.gz").write_bytes(gzip.compress(B.encode()))
    land(orders, landing, SECOND_NIGHT)
    assert [row[:2] for row in landed_rows(orders)] == [("o1", "10"), ("o2", "20"), ("o3", "30")]


def test_column_gained_later_is_null_in_earlier_rows(shop: Path, landing: Path, landed_rows: Rows) -> None:
    table = SourceTable("demo", "orders", shop, "*.csv", "csv", ("order_id",))
    (shop / "a.csv").write_text("order_id\no1\n")
    (shop / "b.csv").write_text('coupon "x",order_id\nSPRING,o2\n')
    assert list(land(table, landing, FIRST_NIGHT).columns) == ["order_id", 'coupon "x"']
    assert [row[:2] for row in landed_rows(table)] == [("o1", None), ("o2", "SPRING")]


def test_other_reader_options_land_the_same_bytes_anew(orders: SourceTable, landing: Path, landed_rows: Rows) -> None:
    (orders.folder / "orders.csv").write_bytes("order_id,amount\nü,1\n".encode("cp1252"))
    land(replace(orders, encoding="cp1252"), landing, FIRST_NIGHT)
    assert landed_rows(orders)[0][0] == "ü"
    assert land(replace(orders, encoding="cp850"), landing, SECOND_NIGHT).files_new == 1
    assert landed_rows(orders)[0][0] == "³"


def test_column_required_later_is_missed_in_what_is_landed(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_text(A)
    land(orders, landing, FIRST_NIGHT)
    with pytest.raises(SourceError, match="lacks column\\(s\\) 'coupon'"):
        land(replace(orders, columns=("order_id", "coupon")), landing, SECOND_NIGHT)


def test_fault_in_the_second_file_lands_nothing_of_the_first(shop: Path, landing: Path) -> None:
    table = SourceTable("demo", "orders", shop, "*.csv", "csv", ("order_id", "amount"))
    (shop / "a.csv").write_text(A)
    (shop / "b.csv").write_text("order_id,amount\no1,5\no2")
    with pytest.raises(SourceError, match=r"'b\.csv' is cut"):
        land(table, landing, FIRST_NIGHT)
    assert [path.name for path in (landing / "demo/orders").iterdir()] == [".lock"]
    assert current_loads(table, landing) == []


def test_killed_run_leaves_nothing_that_counts(
    orders: SourceTable, landing: Path, landed_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orders.folder / "orders.csv").write_text(A)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(landing_module, "write_ledger", die)
        with pytest.raises(KeyboardInterrupt):
            land(orders, landing, FIRST_NIGHT)
    folder = landing / "demo/orders"
    (folder / ".tmp-killed").mkdir()
    (folder / ".tmp-killed/half.parquet").write_bytes(b"PAR1")
    (folder / ".tmp-loads.json").write_text("[")
    assert current_loads(orders, landing) == []
    assert land(orders, landing, SECOND_NIGHT).files_new == 1
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".json", ".parquet"]
    assert landed_rows(orders)[0][4] == SECOND_NIGHT.replace(tzinfo=None)


def test_lost_parquet_is_landed_again(orders: SourceTable, landing: Path, landed_rows: Rows) -> None:
    (orders.folder / "orders.csv").write_text(A)
    (load_id,) = land(orders, landing, FIRST_NIGHT).load_ids
    (landing / f"demo/orders/{load_id}.parquet").unlink()
    assert land(orders, landing, SECOND_NIGHT).files_new == 0
    assert len(landed_rows(orders)) == 2


def test_damaged_parquet_is_landed_again_as_it_was(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_text(A)
    land(orders, landing, FIRST_NIGHT)
    [path] = (landing / "demo" / "orders").glob("*.parquet")
    ledger, whole = (landing / "demo" / "orders" / "loads.json").read_bytes(), path.read_bytes()
    path.write_bytes(whole[:60] + b"\xff" + whole[61:])
    assert land(orders, landing, SECOND_NIGHT).files_new == 0
    assert path.read_bytes() == whole
    assert (landing / "demo" / "orders" / "loads.json").read_bytes() == ledger


def test_damaged_parquet_whose_file_is_gone_is_refused_with_its_cure(shop: Path, landing: Path) -> None:
    table = SourceTable("demo", "orders", shop, "*.csv", "csv", ("order_id", "amount"))
    for name in ("a.csv", "b.csv"):
        (shop / name).write_text(A)
    land(table, landing, FIRST_NIGHT)
    (shop / "a.csv").unlink()
    assert land(table, landing, SECOND_NIGHT).files_seen == 1
    [gone] = [load for load in current_loads(table, landing) if load.file == "a.csv"]
    path = landing / "demo" / "orders" / f"{gone.load_id}.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SourceError, match=r"is damaged or missing, and its file 'a\.csv' is gone .*: restore either"):
        land(table, landing, THIRD_NIGHT)


def test_load_of_a_ledger_without_digests_counts_as_sound(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_text(A)
    land(orders, landing, FIRST_NIGHT)
    path = landing / "demo" / "orders" / "loads.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps([{k: v for k, v in entry.items() if k != "landed_sha256"} for entry in entries]))
    assert land(orders, landing, SECOND_NIGHT).files_new == 0


def test_new_file_under_a_clock_that_went_back_is_refused(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_text(A)
    land(orders, landing, SECOND_NIGHT)
    assert land(orders, landing, FIRST_NIGHT).files_new == 0, "nothing new, nothing that could get a wrong moment"
    (orders.folder / "orders.csv").write_text(B)
    with pytest.raises(SourceError, match=r"the clock says .* UTC, but a file was landed at .*: set the clock right"):
        land(orders, landing, FIRST_NIGHT)
    assert [load.loaded_at for load in current_loads(orders, landing)] == [SECOND_NIGHT]
    assert land(orders, landing, SECOND_NIGHT - timedelta(minutes=59)).files_new == 1, "a clock may be corrected"


def test_unreadable_ledger_is_refused_with_its_cure(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_text(A)
    land(orders, landing, FIRST_NIGHT)
    for broken in ("[", "{}", '[{"file": 1}]', "[1]"):
        (landing / "demo/orders/loads.json").write_text(broken)
        if broken == "{}":
            continue
        with pytest.raises(SourceError, match="restore it from a backup"):
            current_loads(orders, landing)


def test_optional_table_without_files_is_empty_and_typed(shop: Path, landing: Path, landed_rows: Rows) -> None:
    table = SourceTable("demo", "reviews", shop, "reviews.csv", "csv", ("review_id", "stars"), is_optional=True)
    assert land(table, landing, FIRST_NIGHT).files_seen == 0
    assert landed_rows(table) == []
    described = duckdb.sql(f"describe {raw_select_sql(table, landing)}").fetchall()
    assert [(name, kind) for name, kind, *_ in described][-2:] == [("_load_id", "VARCHAR"), ("_row_number", "BIGINT")]
    assert land(replace(table, folder=shop / "absent"), landing, FIRST_NIGHT).rows == 0


def test_required_table_never_landed_is_an_error_to_read(orders: SourceTable, landing: Path) -> None:
    with pytest.raises(SourceError, match="nothing was landed; expected at least one load"):
        raw_select_sql(orders, landing)


def test_rejects_of_no_table_are_an_empty_typed_select(landing: Path) -> None:
    described = duckdb.sql(f"describe {rejects_select_sql([], landing)}").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("source", "VARCHAR"),
        ("table", "VARCHAR"),
        ("file", "VARCHAR"),
        ("row_number", "BIGINT"),
        ("reason", "VARCHAR"),
        ("raw_line", "VARCHAR"),
    ]


def test_progress_rises_to_all_bytes(shop: Path, landing: Path) -> None:
    table = SourceTable("demo", "orders", shop, "*.csv", "csv")
    (shop / "a.csv").write_text(A)
    (shop / "b.csv").write_text(B)
    heard: list[tuple[str, int, int]] = []
    land(table, landing, FIRST_NIGHT, progress=lambda *told: heard.append(told))
    done = [told[1] for told in heard]
    assert done == sorted(done)
    assert heard[-1] == ("b.csv", len(A) + len(B), len(A) + len(B))


def test_parquet_keeps_its_types(shop: Path, landing: Path, landed_rows: Rows) -> None:
    table = SourceTable("demo", "reviews", shop, "reviews.parquet", "parquet", ("stars",))
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    columns = {"stars": pa.array([5, None], pa.int16()), "at": pa.array([moment, None], pa.timestamp("us", "UTC"))}
    pq.write_table(pa.table(columns), shop / "reviews.parquet")
    landed = land(table, landing, FIRST_NIGHT)
    assert landed.columns == {"stars": "SMALLINT", "at": "TIMESTAMP WITH TIME ZONE"}
    assert [(row[0], row[-1]) for row in landed_rows(table)] == [(5, 1), (None, 2)]


def test_fixed_width_trims_and_rejects_short_lines(
    shop: Path, landing: Path, landed_rows: Rows, rejected_rows: Rows
) -> None:
    fields = (FixedField("customer_id", 2, 5), FixedField("day", 8, 8), FixedField("dollars", 20, 7))
    table = SourceTable("cdnow", "purchases", shop, "master.txt", "fixed_width", fields=fields, skip_lines=1)
    (shop / "master.txt").write_bytes(
        b" id  date\r\n 00001 19970101  1   11.77\r\n\r\n 00002 19970112\r\n"
        b" 00003           1    9.5\r\n \xff0004 19970112  1   11.77\n"
    )
    landed = land(table, landing, FIRST_NIGHT)
    assert (landed.rows, landed.rejected) == (2, 2)
    assert [row[:3] for row in landed_rows(table)] == [("00001", "19970101", "11.77"), ("00003", None, "9.5")]
    assert rejected_rows(table) == [
        (4, "line too short: 15 characters, the last field starts at 20", " 00002 19970112"),
        (6, "invalid characters for the encoding", " \\xff0004 19970112  1   11.77"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "a'b.csv",
        'a"b.csv',
        "a b%20.csv",
        "a[b].csv",
        "a\nb.csv",
        "中文 ü.csv",
        "a;b--.csv",
        "$HOME{a,b}.csv",
        "k=v.csv",
        "a\\b.csv",
    ],
)
def test_hostile_file_name_is_only_a_name(
    name: str, shop: Path, landing: Path, landed_rows: Rows, rejected_rows: Rows
) -> None:
    table = SourceTable("demo", "orders", shop, name, "csv", ("order_id", "amount"))
    (shop / name).write_text(A + "short\n")
    (shop / "other.csv").write_text(B)
    assert land(table, landing, FIRST_NIGHT).files_seen == 1
    assert [row[3] for row in landed_rows(table)] == [name, name]
    assert rejected_rows(table) == [(4, "too few fields: expected 2, found 1", "short")]


def test_wildcards_in_file_names_match_only_themselves(shop: Path, landing: Path, landed_rows: Rows) -> None:
    for name in ("**.csv", "a?.csv", "ab.csv"):
        (shop / name).write_text(A)
    table = SourceTable("demo", "orders", shop, "*.csv", "csv", ("order_id", "amount"))
    assert land(table, landing, FIRST_NIGHT).rows == 6
    assert len(landed_rows(table)) == 6


def test_file_name_that_is_not_unicode_is_refused(shop: Path, landing: Path) -> None:
    import os

    Path(os.fsdecode(os.fsencode(shop) + b"/a\xff.csv")).write_text(A)
    with pytest.raises(SourceError, match="not valid Unicode"):
        land(SourceTable("demo", "orders", shop, "*.csv", "csv"), landing, FIRST_NIGHT)


def test_landing_folder_with_a_wildcard_is_refused(orders: SourceTable, tmp_path: Path) -> None:
    (orders.folder / "orders.csv").write_text(A)
    with pytest.raises(SourceError, match="choose a folder without them"):
        land(orders, tmp_path / "land*ing", FIRST_NIGHT)


def test_file_changed_while_read_is_refused(
    orders: SourceTable, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = orders.folder / "orders.csv"
    path.write_text(A)
    hash_it = landing_module.sha256_of

    def hash_then_grow(*args: object) -> str:
        digest = hash_it(*args)  # type: ignore[arg-type]
        path.write_text(B)
        return digest

    monkeypatch.setattr(landing_module, "sha256_of", hash_then_grow)
    with pytest.raises(SourceError, match="changed while it was read"):
        land(orders, landing, FIRST_NIGHT)
    assert current_loads(orders, landing) == []
