"""Workbooks: what openpyxl wrote, read by another library, comes out as a CSV export of the sheet would."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from source_cases import FIRST_NIGHT, Rows

from dagster_project.sources.landing import land
from dagster_project.sources.tables import SourceError, SourceTable

Written = Callable[[list[list[Any]]], None]


@pytest.fixture
def book(shop: Path) -> SourceTable:
    return SourceTable("till", "orders", shop, "orders.xlsx", "xlsx", ("order_id", "amount"))


def write(path: Path, **sheets: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_cells_become_the_text_that_a_person_sees(book: SourceTable, landing: Path, landed_rows: Rows) -> None:
    write(
        book.folder / "orders.xlsx",
        Orders=[
            ["order_id", "amount", "at", None, None],
            ["007", 19.99, dt.datetime(2025, 1, 31, 13, 45)],  # noqa: DTZ001 - a sheet's times have no zone
            [],
            [12345, 0.1 + 0.2, dt.date(2025, 1, 31), None, None],
            [True, 1e21, dt.time(3, 4)],
            [" o4 ", -0.000001, "2025-02-30"],
            [2**53, None, None],
        ],
    )
    land(book, landing, FIRST_NIGHT)
    assert [row[:3] for row in landed_rows(book)] == [
        ("007", "19.99", "2025-01-31 13:45:00"),
        ("12345", "0.3", "2025-01-31"),
        ("true", "1000000000000000000000", "03:04:00"),
        (" o4 ", "-0.000001", "2025-02-30"),
        ("9007199254740990", None, None),  # a spreadsheet shows 15 digits, and so do its exports
    ]
    assert land(book, landing, FIRST_NIGHT).files_new == 0


def test_sheet_lines_above_and_missing_header_are_as_set(book: SourceTable, landing: Path, landed_rows: Rows) -> None:
    rows = [["Export of today"], [None, "order_id", "amount"], [None, "o1", 1], [None, "o2", 2]]
    write(book.folder / "orders.xlsx", Notes=[["read me"]], Orders=rows)
    table = replace(book, sheet="Orders", skip_lines=1)
    land(table, landing, FIRST_NIGHT)
    assert [row[:3] for row in landed_rows(table)] == [(None, "o1", "1"), (None, "o2", "2")]
    write(book.folder / "orders.xlsx", Orders=[["o1", 1], ["o2"]])
    table = replace(book, has_header=False)
    land(table, landing, FIRST_NIGHT + dt.timedelta(days=1))
    assert [row[:2] for row in landed_rows(table)] == [("o1", "1"), ("o2", None)]


def test_row_with_cells_beyond_the_header_is_rejected(
    book: SourceTable, landing: Path, landed_rows: Rows, rejected_rows: Rows
) -> None:
    write(book.folder / "orders.xlsx", Orders=[["order_id", "amount"], ["o1", 1], ["o2", 2, None, "x"], ["o3", 3]])
    assert land(book, landing, FIRST_NIGHT).rejected == 1
    assert [row[0] for row in landed_rows(book)] == ["o1", "o3"]
    assert rejected_rows(book) == [(3, "too many fields: expected 2, found 4", "o2\t2\t\tx")]


def without_sheet(path: Path) -> None:
    whole = path.read_bytes()
    with zipfile.ZipFile(path, "w") as out, zipfile.ZipFile(io.BytesIO(whole)) as parts:
        for part in parts.infolist():
            if "sheet1" not in part.filename:
                out.writestr(part, parts.read(part))


@pytest.mark.parametrize(
    ("damage", "options", "expected"),
    [
        (lambda path: path.write_bytes(b"order_id,amount\n1,2\n"), {}, "is not readable as a workbook"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), {}, "is not readable as a workbook"),
        (without_sheet, {}, "is not readable as a workbook"),
        (lambda path: None, {"sheet": "Orders 2009"}, "has no sheet 'Orders 2009'; found 'Orders', 'Empty'"),
        (lambda path: None, {"sheet": "Empty"}, "sheet 'Empty' of file 'orders.xlsx' is empty"),
        (lambda path: None, {"columns": ("total",)}, "lacks column(s) 'total'; found 'order_id', 'amount'"),
    ],
)
def test_faulty_workbook_is_refused(
    damage: Callable[[Path], None], options: dict[str, Any], expected: str, book: SourceTable, landing: Path
) -> None:
    write(book.folder / "orders.xlsx", Orders=[["order_id", "amount"], ["o1", 1]], Empty=[])
    damage(book.folder / "orders.xlsx")
    with pytest.raises(SourceError) as caught:
        land(replace(book, **options), landing, FIRST_NIGHT)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
