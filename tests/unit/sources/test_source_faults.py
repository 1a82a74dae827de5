"""Structural faults: each refuses the delivery with one line that says what, what else, and what to do."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_cases import FIRST_NIGHT

from dagster_project.sources.landing import current_loads, land
from dagster_project.sources.tables import FixedField, SourceError, SourceTable

GOOD = b"order_id,amount\no1,10\no2,20\n"
MANY = b"order_id,amount\n" + b"".join(b"o%d,%d\n" % (i, i * 7919 % 10007) for i in range(20_000))


def refusal(table: SourceTable, landing: Path) -> str:
    with pytest.raises(SourceError) as caught:
        land(table, landing, FIRST_NIGHT)
    assert current_loads(table, landing) == []
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{table.name}: ")
    return message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "'orders.csv' has zero bytes"),
        (b"\n\n", "has no header"),
        (b"order_id,total\n1,2\n", "lacks column(s) 'amount'; found 'order_id', 'total'"),
        (b"order_id;amount\n1;2\n", "looks delimited by ';', not by ','"),
        (b"order_id\tamount\n1\t2\n", r"looks delimited by '\t'"),
        (b"order_id,amount,Amount\n1,2,3\n", "column 'Amount' stands twice"),
        (b"order_id,amount,_load_id\n1,2,3\n", "column '_load_id' in the header of 'orders.csv' has the name"),
        (b"order_id,amount\no1,10\no2", "is cut: its last record, in line 3, has too few fields and no line end"),
        (b'order_id,amount\no1,10\no2,"2', "is cut: a quote opened in line 3 is never closed"),
        (b'order_id,amount\no1,"10\no2,20\no3,30\n', "is cut: a quote opened in line 2 is never closed"),
        (b'order_id,amount\no1,10\no2\n\n\no3\no4,"q\n', "is cut: a quote opened in line 7 is never closed"),
        (b"order_id,amount\n1\n2\n3\n", "no row of file 'orders.csv' could be read; the first of 3 refused is line 2"),
        (GOOD.decode().encode("utf-16"), "holds NUL bytes: it is binary or UTF-16"),
        (b"\x00\x01\x02" * 100, "holds NUL bytes"),
        (MANY + b"\0" * 4096, "ends in NUL bytes, as an unfinished copy does"),
        (b"order_id,amount,\xfcber\n1,2,3\n", "is not utf-8; set the encoding"),
        (b"PAR1order_id", "lacks column(s)"),
    ],
)
def test_faulty_csv_is_refused(content: bytes, expected: str, orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_bytes(content)
    assert expected in refusal(orders, landing)
    if content:
        (orders.folder / "orders.csv").unlink()
        (orders.folder / "orders.csv.gz").write_bytes(gzip.compress(content))
        assert expected.replace("orders.csv'", "orders.csv.gz'") in refusal(orders, landing)


def test_missing_file_names_folder_pattern_and_what_is_there(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "Orders.CSV").write_bytes(GOOD)
    message = refusal(orders, landing)
    assert f"no file matches 'orders.csv' in {str(orders.folder)!r}; found 'Orders.CSV'" in message
    assert "LOYALTY_DATA" in message


def test_missing_folder_is_named(orders: SourceTable, landing: Path) -> None:
    message = refusal(replace(orders, folder=orders.folder / "absent"), landing)
    assert "absent' does not exist; expected the files 'orders.csv' in it" in message


def test_file_beside_its_own_gzip_is_refused(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_bytes(GOOD)
    (orders.folder / "orders.csv.gz").write_bytes(gzip.compress(GOOD))
    assert "both 'orders.csv' and 'orders.csv.gz' are in" in refusal(orders, landing)


@pytest.mark.parametrize("keep", [3, 12, 0.5, -1, -5, -9])
def test_cut_gzip_is_refused(keep: float, orders: SourceTable, landing: Path) -> None:
    whole = gzip.compress(MANY, mtime=0)
    cut = int(len(whole) * keep) if isinstance(keep, float) else keep
    (orders.folder / "orders.csv.gz").write_bytes(whole[:cut])
    assert "is cut: it ends before its checksum" in refusal(orders, landing)


def test_damaged_gzip_is_refused(orders: SourceTable, landing: Path) -> None:
    damaged = bytearray(gzip.compress(MANY, mtime=0))
    damaged[-6] ^= 0xFF
    (orders.folder / "orders.csv.gz").write_bytes(damaged)
    assert "is damaged" in refusal(orders, landing)


def test_plain_text_named_gz_is_refused(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv.gz").write_bytes(GOOD)
    assert "'orders.csv.gz' is not gzip" in refusal(orders, landing)


def test_empty_gzip_is_refused(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv.gz").write_bytes(gzip.compress(b""))
    assert "holds nothing once uncompressed" in refusal(orders, landing)


def test_wrong_encoding_of_the_whole_file_is_refused(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_bytes(GOOD + b"x")
    assert "is not utf-16" in refusal(replace(orders, encoding="utf-16"), landing)


@pytest.mark.parametrize("fault", ["text", "cut", "page"])
def test_faulty_parquet_is_refused(fault: str, shop: Path, landing: Path) -> None:
    table = SourceTable("demo", "reviews", shop, "reviews.parquet", "parquet", ("stars",))
    path = shop / "reviews.parquet"
    pq.write_table(pa.table({"stars": list(range(5000))}), path, compression="zstd", write_page_checksum=True)
    whole = bytearray(path.read_bytes())
    if fault == "page":
        whole[len(whole) // 3 : len(whole) // 3 + 400] = bytes(400)
    path.write_bytes({"text": GOOD, "cut": bytes(whole[:-20]), "page": bytes(whole)}[fault])
    assert "'reviews.parquet' is not readable as Parquet, or is cut" in refusal(table, landing)


@pytest.mark.parametrize("cut", [3, 4, 12, -1, -5])
def test_cut_zstd_is_refused(cut: int, orders: SourceTable, landing: Path) -> None:
    whole = pa.compress(MANY, "zstd", asbytes=True)
    (orders.folder / "orders.csv.zst").write_bytes(whole[:cut])
    expected = "is not zstd; expected it by its name" if cut == 3 else "is cut (Truncated compressed stream)"
    assert expected in refusal(orders, landing)


def test_damaged_zstd_is_refused(orders: SourceTable, landing: Path) -> None:
    damaged = bytearray(pa.compress(MANY, "zstd", asbytes=True))
    damaged[len(damaged) // 2] ^= 0xFF
    (orders.folder / "orders.csv.zst").write_bytes(damaged)
    assert "zstd file 'orders.csv.zst' is damaged" in refusal(orders, landing)


def test_file_beside_its_own_zstd_is_refused(orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv.gz").write_bytes(gzip.compress(GOOD))
    (orders.folder / "orders.csv.zst").write_bytes(pa.compress(GOOD, "zstd", asbytes=True))
    assert "both 'orders.csv.gz' and 'orders.csv.zst' are in" in refusal(orders, landing)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[{"order_id": 1}]\n', "is a JSON array; expected an object a line"),
        (b'[\n{"order_id": 1}\n]\n', "is a JSON array"),
        (
            b'{"order_id": "o1", "amount": 1}\n{"order_id": "o2", "am',
            "is cut: its last record, in line 2, is not whole",
        ),
        (b'{"order_id": 1, "amount": 2, "Amount": 3}\n', "column 'Amount' stands twice"),
        (b'{"order_id": 1, "amount": 2, "_file": 3}\n', "column '_file' in file 'orders.csv' has the name of a column"),
        (b'{"order_id": 1}\n', "lacks column(s) 'amount'; found 'order_id'"),
        (b"\n \n", "lacks column(s) 'order_id', 'amount'; found"),
        (b'{"a%d": 1}\n' % 1 + b"".join(b'{"a%d": 1}\n' % i for i in range(2001)), "more than 2000 different fields"),
        ('{"order_id": "ü"}\n'.encode("utf-16"), "holds NUL bytes: it is binary or UTF-16"),
    ],
)
def test_faulty_json_lines_are_refused(content: bytes, expected: str, orders: SourceTable, landing: Path) -> None:
    (orders.folder / "orders.csv").write_bytes(content)
    assert expected in refusal(replace(orders, format="json_lines"), landing)


def test_parquet_columns_are_checked(shop: Path, landing: Path) -> None:
    table = SourceTable("demo", "reviews", shop, "reviews.parquet", "parquet", ("stars",))
    pq.write_table(pa.table({"score": [1]}), shop / "reviews.parquet")
    assert "lacks column(s) 'stars'; found 'score'" in refusal(table, landing)
    pq.write_table(pa.table({"stars": [1], "_file": ["x"]}), shop / "reviews.parquet")
    assert "column '_file'" in refusal(table, landing)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"source": "Demo"}, "source name 'Demo' is not a lower-case SQL identifier"),
        ({"table": 'x"; drop table y'}, "is not a lower-case SQL identifier"),
        ({"table": "a\n"}, "is not a lower-case SQL identifier"),
        ({"files": "../secrets.csv"}, "leaves its folder"),
        ({"files": "/etc/passwd"}, "leaves its folder"),
        ({"files": ""}, "is empty"),
        ({"format": "xls"}, "format 'xls' is unknown; expected one of csv, json_lines, parquet, xlsx, fixed_width"),
        ({"escape": '"'}, "a doubled quote needs no escape"),
        ({"escape": "ü"}, "escape 'ü' is not one plain character or empty"),
        ({"has_header": False, "columns": ()}, "needs 'columns', the names of all fields in their order"),
        ({"has_header": False, "format": "parquet"}, "has_header is off, which is for csv and xlsx"),
        ({"delimiter": "ab"}, "is not one plain character"),
        ({"quote": "\n"}, "is not one plain character"),
        ({"quote": ","}, "quote and delimiter are both"),
        ({"encoding": "klingon"}, "encoding 'klingon' is unknown"),
        ({"encoding": "hex"}, "encoding 'hex' is unknown"),
        ({"columns": ("a", "A")}, "column 'A' stands twice in the settings"),
        ({"columns": ("_file",)}, "has the name of a column that landing adds"),
        ({"skip_lines": -1}, "expected 0 or more"),
        ({"format": "fixed_width"}, "needs its fields"),
        ({"fields": (FixedField("a", 1, 1),)}, "fields are for fixed_width"),
    ],
)
def test_table_description_is_validated(options: dict[str, object], expected: str, orders: SourceTable) -> None:
    with pytest.raises(SourceError) as caught:
        replace(orders, **options)  # type: ignore[arg-type]
    assert expected in str(caught.value)


def test_fixed_field_counts_from_one() -> None:
    with pytest.raises(SourceError, match="counted from 1"):
        FixedField("a", 0, 5)
