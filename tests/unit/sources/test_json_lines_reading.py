"""JSON lines: every line is landed or rejected, against Python's own json module as independent judge."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_cases import FIRST_NIGHT, Rows

from dagster_project.sources.json_lines_reader import fields_of
from dagster_project.sources.landing import land, raw_select_sql, rejects_select_sql
from dagster_project.sources.tables import SourceTable


@pytest.fixture
def events(shop: Path) -> SourceTable:
    return SourceTable("demo", "events", shop, "events.jsonl", "json_lines", ("id",))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id": "o1", "amount": 19.90}', {"id": "o1", "amount": "19.90"}),
        (b'{"id": 12345678901234567890123.4500}', {"id": "12345678901234567890123.4500"}),
        (b'{"id": -0, "x": 1E5, "y": NaN}', {"id": "-0", "x": "1E5", "y": "NaN"}),
        (b'  {"id":null,"t":true,"f":false}  ', {"id": None, "t": "true", "f": "false"}),
        (b'{"id": "", "x": " a "}', {"id": "", "x": " a "}),
        (
            b'{"id": 1 , "b" :{"a": [1.10, {"c":"}"}]}, "l":[ ],"z":"x"}',
            {"id": "1", "b": '{"a": [1.10, {"c":"}"}]}', "l": "[ ]", "z": "x"},
        ),
        (b'{"a\\"b\\u00e9": {"x":1}, "id": "\\ud83d\\ude00"}', {'a"b\u00e9': '{"x":1}', "id": "\U0001f600"}),
        (b"{}", {}),
    ],
)
def test_fields_are_kept_as_they_were_written(line: bytes, expected: dict[str, str | None]) -> None:
    assert fields_of(line) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"id": 1,}', "not JSON: "),
        (b'{"id": 1} {"id": 2}', "not JSON: Extra data at character 11"),
        (b"id,amount", "not JSON: Expecting value at character 1"),
        (b"[1]", "JSON, but not an object"),
        (b"null", "JSON, but not an object"),
        (b'{"id": 1, "id": 2}', "an object that names a field twice"),
        (b'{"id": {"a": 1, "a": 2}}', "an object that names a field twice"),
        (b'{"": 1}', "a field without a name"),
        (b'{"id": "\xff"}', "invalid characters for the encoding"),
        (b'{"id": "\\ud800"}', "half a character, written as"),
        (b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "JSON nested too deeply"),
    ],
)
def test_unreadable_line_is_kept_with_its_reason(
    line: bytes, reason: str, events: SourceTable, landing: Path, landed_rows: Rows, rejected_rows: Rows
) -> None:
    (events.folder / "events.jsonl").write_bytes(b'{"id": "first"}\r\n\r\n' + line + b'\n{"id": "last"}')
    assert land(events, landing, FIRST_NIGHT).rejected == 1
    assert [row[0] for row in landed_rows(events)] == ["first", "last"]
    [(number, found, kept)] = rejected_rows(events)
    assert (number, kept) == (3, line.decode("utf-8", "backslashreplace"))
    assert found.startswith(reason)


def test_columns_are_all_names_of_the_file_in_order(events: SourceTable, landing: Path, landed_rows: Rows) -> None:
    table = replace(events, files="*.jsonl", encoding="utf-16")
    (events.folder / "a.jsonl").write_bytes('{"b": 1, "id": "x"}\n{"id": "y", "c d": "\u5b57"}\n'.encode("utf-16"))
    assert list(land(table, landing, FIRST_NIGHT).columns) == ["b", "id", "c d"]
    assert [row[:3] for row in landed_rows(table)] == [("1", "x", None), (None, "y", "\u5b57")]


NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=6,
)


@given(rows=st.lists(st.dictionaries(NAME, VALUE, max_size=5), max_size=15), is_ascii=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_object_is_landed_with_every_field(rows: list[dict[str, Any]], is_ascii: bool) -> None:
    names = {name.casefold() for row in rows for name in row}
    if len(names) != len({name for row in rows for name in row}) or names & {"id", "_file"}:
        return  # two names that differ in case only refuse the file, as another test says
    lines = [json.dumps({"id": place, **row}, ensure_ascii=is_ascii) for place, row in enumerate(rows)]
    with tempfile.TemporaryDirectory() as name:
        table = SourceTable("demo", "events", Path(name), "events.jsonl", "json_lines", ("id",), is_optional=True)
        (table.folder / "events.jsonl").write_bytes("\n".join([*lines, '{"id": "end"}', "{"]).encode() + b"\n")
        result = land(table, table.folder / "landing", FIRST_NIGHT)
        assert (result.rows, result.rejected) == (len(rows) + 1, 1)
        with duckdb.connect() as con:
            found = con.execute(f"from ({raw_select_sql(table, table.folder / 'landing')}) order by _row_number")
            columns = [column[0] for column in found.description or ()]
            landed = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
            assert con.execute(f"select raw_line from ({rejects_select_sql([table], table.folder / 'landing')})"
            ).fetchall() == [("{",)]  # fmt: skip
        for row, kept in zip(rows, landed[:-1], strict=True):
            for field, value in row.items():
                text = kept[field]
                if value is None or isinstance(value, str):
                    assert text == value
                else:
                    assert json.loads(text) == value
