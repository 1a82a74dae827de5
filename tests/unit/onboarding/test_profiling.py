"""What a file of exports is found to hold, in the dialects that exports come in."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import duckdb
import pytest

from dagster_project.onboarding.profiling import (
    day_range,
    profile_file,
    profile_folder,
    scores_by_question,
)
from dagster_project.sources.tables import SourceError

ROWS = [("Zoë", "31.01.2025 13:45", "1.234,56", "ja"), ("Müller", "01.02.2025 08:00", "12,00", "nein")] * 3


def written(path: Path, delimiter: str, encoding: str) -> Path:
    lines = ["Name;Datum;Betrag;Aktiv", *(";".join(row) for row in ROWS)]
    path.write_bytes("\r\n".join(lines).replace(";", delimiter).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_dialect_of_a_csv_is_found(tmp_path: Path, delimiter: str, encoding: str) -> None:
    profile = profile_file(written(tmp_path / "kunden.csv", delimiter, encoding))
    assert (profile.delimiter, profile.encoding, profile.rows) == (delimiter, encoding, 6)
    assert [column.name for column in profile.columns] == ["Name", "Datum", "Betrag", "Aktiv"]
    assert profile.column("Name").codes == ("Müller", "Zoë")


def test_how_times_and_numbers_are_written_is_found(tmp_path: Path) -> None:
    profile = profile_file(written(tmp_path / "kunden.csv", ";", "utf-8"))
    assert profile.column("Datum").written_as == ("day_first_dots",)
    assert profile.column("Betrag").written_as == ("number_with_comma",)
    assert profile.column("Name").written_as == ()
    assert day_range(tmp_path / "kunden.csv", profile, "Datum", "day_first_dots") == (
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


def test_a_gzipped_file_and_a_parquet_one_are_profiled_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,amount\n1,2.5\n2,3.5\n"))
    duckdb.sql(f"copy (values (1, 2.5), (2, 3.5)) to '{tmp_path}/b.parquet'")
    text, typed = profile_folder(tmp_path)
    assert [column.is_unique for column in text.columns] == [column.is_unique for column in typed.columns] == [True] * 2
    assert "number" in text.column("amount").written_as
    assert "number" in typed.columns[1].written_as


def test_scores_are_told_by_question_without_the_slips(tmp_path: Path) -> None:
    rows = ["q,score", *(f"nps,{score % 11}" for score in range(2_200)), "nps,99", *("stars,5", "stars,1") * 9]
    (tmp_path / "answers.csv").write_text("\n".join(rows))
    profile = profile_file(tmp_path / "answers.csv")
    assert scores_by_question(tmp_path / "answers.csv", profile, "score", "q") == {"nps": (0, 10), "stars": (1, 5)}
    assert scores_by_question(tmp_path / "answers.csv", profile, "score", None) == {None: (0, 10)}


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
        profile_file(tmp_path / "bad.csv")


def test_a_folder_without_exports_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").write_text("x")
    with pytest.raises(SourceError, match=r"no file in .* ends in \.csv, .*; found notes\.docx"):
        list(profile_folder(tmp_path))
    with pytest.raises(SourceError, match="is not a folder; expected one that holds the shop's exports"):
        list(profile_folder(tmp_path / "absent"))
