"""What a file of exports is found to hold, in the dialects that exports come in."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dagster_project.onboarding.profiling import Profile, day_range, profile, scores_by_question
from dagster_project.onboarding.samples import FileSample, file_samples, samples_of
from dagster_project.sources.tables import SourceError

ROWS = [("Zoë", "31.01.2025 13:45", "1.234,56", "ja"), ("Müller", "01.02.2025 08:00", "12,00", "nein")] * 3


def profile_file(path: Path) -> Profile:
    [sample] = samples_of(path)
    return profile(sample)


def written(path: Path, delimiter: str, encoding: str) -> Path:
    lines = ["Name;Datum;Betrag;Aktiv", *(";".join(row) for row in ROWS)]
    path.write_bytes("\r\n".join(lines).replace(";", delimiter).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_dialect_of_a_csv_is_found(tmp_path: Path, delimiter: str, encoding: str) -> None:
    [sample] = samples_of(written(tmp_path / "kunden.csv", delimiter, encoding))
    assert (sample.delimiter, sample.encoding) == (delimiter, encoding)
    found = profile(sample)
    assert found.rows == 6
    assert [column.name for column in found.columns] == ["Name", "Datum", "Betrag", "Aktiv"]
    assert found.column("Name").codes == ("Müller", "Zoë")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "評分,意見\n9,很滿意"),  # the last letter is three bytes, and nothing follows it
        ("cp950", "訂單編號,會員編號,下單時間\nA1,王小明,2025-01-02"),
        ("gb18030", "订单编号,会员编号,下单时间\nA1,王小明,2025-01-02"),
        ("cp932", "注文番号,顧客番号,注文日時\nA1,山田,2025-01-02"),
        ("cp1252", "Bestellnummer,Kundenname\nA1,Müller"),
        ("cp1252", "x,y\nÄrger,Größe"),  # no word is known
    ],
)
def test_the_encoding_is_that_in_which_the_header_has_known_words(encoding: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_bytes(text.encode(encoding))
    [sample] = samples_of(tmp_path / "file.csv")
    assert sample.encoding == encoding
    assert [column.name for column in profile(sample).columns] == text.split("\n", maxsplit=1)[0].split(",")


def test_how_times_and_numbers_are_written_is_found(tmp_path: Path) -> None:
    found = profile_file(written(tmp_path / "kunden.csv", ";", "utf-8"))
    assert found.column("Datum").written_as == ("day_first_dots",)
    assert found.column("Betrag").written_as == ("number_with_comma",)
    assert found.column("Name").written_as == ()
    assert day_range(found, "Datum", "day_first_dots") == (
        dt.date(2025, 1, 31),
        dt.date(2025, 2, 1),
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2025-01-31", "iso"),
        ("2025-01-31T13:45:00", "iso"),
        ("2025-01-31T13:45:00Z", "iso_with_offset"),
        ("2025-01-31 13:45:00 +0100", "iso_with_offset"),
        ("31/01/2025 13:45", "day_first_slashes"),
        ("01/31/2025", "month_first_slashes"),
        ("2025/01/31", "year_first_slashes"),
        ("31-01-2025", "day_first_dashes"),
        ("20250131", "unmarked_day"),
        ("-12.50", "number"),
        ("12", "whole"),
        ("TRUE", "flag"),
        ("EUR", "currency"),
    ],
)
def test_a_value_is_read_in_the_way_that_it_is_written(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "one.csv"
    path.write_text(f"a,b\n{text},x\n{text},x\n")
    assert name in profile_file(path).column("a").written_as


def test_a_table_is_profiled_alike_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,amount\n1,2.5\n2,3.5\n"))
    (tmp_path / "b.csv.zst").write_bytes(pa.compress(b"id;amount\r1;2.5\r2;3.5\r", codec="zstd", asbytes=True))
    duckdb.sql(f"copy (values (1, 2.5), (2, 3.5)) to '{tmp_path}/c.parquet'")
    (tmp_path / "d.jsonl").write_text('{"id": 1, "amount": 2.5}\n{"id": 2, "amount": 3.5}\n')
    duckdb.sql(f"copy (select * from (values ('1', '2.5'), ('2', '3.5')) t(id, amount)) to '{tmp_path}/e.csv'")
    samples, unreadable = file_samples(tmp_path)
    assert ([sample.name for sample in samples], unreadable) == (
        ["a.csv.gz", "b.csv.zst", "c.parquet", "d.jsonl", "e.csv"],
        [],
    )
    for sample in samples:
        identity, amount = profile(sample).columns
        assert (identity.is_unique, identity.rows, "number" in amount.written_as) == (True, 2, True)
    described = [dict(sample.described) for sample in samples]
    assert described[:3] == [
        {"files": "a.csv.gz"}, {"files": "b.csv.zst", "delimiter": ";"}, {"files": "c.parquet", "format": "parquet"},
    ]  # fmt: skip
    assert described[3] == {"files": "d.jsonl", "format": "json_lines"}


def test_each_sheet_of_a_workbook_is_a_table(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Orders"
    for row in (("id", "placed"), ("A1", "2025-01-31 13:45")):
        book.active.append(row)
    book.create_sheet("Notes").append(("text",))
    book.save(tmp_path / "shop.xlsx")
    orders, notes = file_samples(tmp_path)[0]
    assert (orders.name, orders.subject, orders.described) == (
        "shop.xlsx, sheet Orders", "Orders", {"files": "shop.xlsx", "format": "xlsx", "sheet": "Orders"},
    )  # fmt: skip
    assert profile(orders).column("placed").written_as == ("iso",)
    with pytest.raises(
        SourceError, match=r"'shop\.xlsx, sheet Notes' has no rows; expected some to tell its columns by"
    ):
        profile(notes)


def test_line_ends_that_change_in_the_middle_lose_and_repeat_no_row(tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_bytes(b"id,b\n" + b"".join(b"%d,x\n" % row for row in range(5_000)) + b"5000,x\r5001,x\r")
    rows = [row["id"] for batch in FileSample(path, "csv").batches() for row in batch.to_pylist()]
    assert rows == [str(row) for row in range(5_002)]


def test_scores_are_counted_by_question(tmp_path: Path) -> None:
    rows = [
        "q,score",
        *(f"NPS,{score % 11}" for score in range(2_200)),
        "nps,99",
        *("stars,5", "stars,1", "stars,x") * 9,
    ]
    (tmp_path / "answers.csv").write_text("\n".join(rows))
    found = profile_file(tmp_path / "answers.csv")
    asked = scores_by_question(found, "score", "q")
    assert list(asked) == ["nps", "stars"]
    assert asked["nps"] == {float(score): 200 for score in range(11)} | {99.0: 1}
    assert asked["stars"] == {1.0: 9, 5.0: 9}
    assert list(scores_by_question(found, "score", None)) == [None]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty or no text; expected a CSV with a header"),
        (b"\x00\x01\x02" * 20, "is empty or no text; expected a CSV with a header"),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(SourceError, match=said):
        samples_of(tmp_path / "bad.csv")
    (tmp_path / "good.csv").write_text("a,b\n1,2\n")
    samples, [(name, why)] = file_samples(tmp_path)
    assert ([sample.name for sample in samples], name) == (["good.csv"], "bad.csv")
    assert said in why


def test_a_folder_without_exports_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").write_text("x")
    with pytest.raises(SourceError, match=r"no file in .* ends in \.csv, .*; found notes\.docx"):
        file_samples(tmp_path)
    with pytest.raises(SourceError, match="is not a folder; expected one that holds the shop's exports"):
        file_samples(tmp_path / "absent")
