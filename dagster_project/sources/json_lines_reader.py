"""Reading JSON lines: an object a line, its fields as columns of text.

Numbers keep the digits with which they were written, as a float would not; what is nested is kept as its JSON text. A
field that a line lacks is NULL there, as is a null. The file is read twice: its columns are known at its end only.

Belongs here: cutting lines into fields. Does not belong here: bytes and encodings (`files.py`), writing (`landing.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]  # the decoder's own, in C
from pathlib import Path
from typing import Any

import pyarrow as pa

from dagster_project.sources.csv_account import count_lines
from dagster_project.sources.files import SourceFile, refuse_binary
from dagster_project.sources.readings import Reject, batch_rows
from dagster_project.sources.tables import SourceTable, check_column_names, check_required_columns

_MOST_COLUMNS = 2_000  # more means that names hold what should be values
_SPACE = " \t\r"

Fields = dict[str, str | None]


class _NotAnObject(ValueError):
    """A line that is no usable object; the message is the reason, without its content."""


class JsonLinesReading:
    """A file of JSON lines being read; see `Reading`.

    Raises:
        SourceError: When it is binary, cut, one document over many lines, or lacks a column in all lines.
    """

    def __init__(self, table: SourceTable, file: SourceFile, text: Path) -> None:
        self._table, self._file, self._text = table, file, text
        head = refuse_binary(table, file, text)
        if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
            raise table.error(
                f"file {file.name!r} is a JSON array; expected an object a line: write it as JSON lines "
                "(`jq -c '.[]'` does)"
            )
        self.approximate_rows = count_lines(text)
        self.columns = self._found_columns()
        self.schema = pa.schema([pa.field(name, pa.string()) for name in self.columns])
        place = f"file {file.name!r}"
        check_column_names(table, self.columns, place)
        check_required_columns(table, self.columns, place)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The readable lines in file order."""
        most, held = batch_rows(len(self.columns)), []
        for _, _, fields, _ in self._lines():
            if fields is not None:
                held.append(fields)
            if len(held) == most:
                yield self._batch(held)
                held = []
        if held:
            yield self._batch(held)

    def rejects(self) -> Iterator[Reject]:
        """The unreadable lines in file order.

        Raises:
            SourceError: When the last line is cut off.
        """
        for number, raw, fields, reason in self._lines():
            if fields is not None:
                continue
            if not raw.endswith(b"\n"):
                raise self._table.error(
                    f"file {self._file.name!r} is cut: its last record, in line {number}, is not whole and has no line "
                    "end; deliver the whole file again"
                )
            yield Reject(number, reason, raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace"))

    def prove_complete(self, landed: Path, rows: int, rejects: Path | None) -> None:
        """Nothing to prove: `_lines` puts each line into exactly one place."""

    def close(self) -> None:
        """Nothing is held open."""

    def _found_columns(self) -> tuple[str, ...]:
        """Every field's name, in the order of first appearance."""
        names: dict[str, None] = {}
        for _, _, fields, _ in self._lines():
            if fields is not None and not names.keys() >= fields.keys():
                names |= dict.fromkeys(fields)
                if len(names) > _MOST_COLUMNS:
                    raise self._table.error(
                        f"file {self._file.name!r} has more than {_MOST_COLUMNS} different fields; its objects seem to "
                        "hold values as names: write them as rows"
                    )
        return tuple(names)

    def _lines(self) -> Iterator[tuple[int, bytes, Fields | None, str]]:
        """Number, bytes, fields and, where there are none, the reason, of every line that is not blank."""
        with self._text.open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                content = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
                if number <= self._table.skip_lines or not content.strip():
                    continue
                try:
                    yield number, content, fields_of(content), ""
                except _NotAnObject as fault:
                    yield number, content, None, str(fault)

    def _batch(self, rows: list[Fields]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(
            [pa.array([row.get(name) for row in rows], pa.string()) for name in self.columns], schema=self.schema
        )


def fields_of(line: bytes) -> Fields:
    """The fields of one line, as text.

    Raises:
        ValueError: It is no object, names a field twice or not at all, or holds what is no text in UTF-8.
    """
    try:
        text = line.decode().strip()
        found = _DECODER.decode(text)
        if not isinstance(found, dict):
            raise _NotAnObject("JSON, but not an object")
        if any(isinstance(value, dict | list) for value in found.values()):
            found |= _nested_as_sent(text)
        fields = {name: _text_of(value) for name, value in found.items()}
        "".join([*fields, *(value for value in fields.values() if value)]).encode()
    except UnicodeDecodeError:
        raise _NotAnObject("invalid characters for the encoding") from None
    except UnicodeEncodeError:
        raise _NotAnObject("half a character, written as \\ud800 to \\udfff") from None
    except json.JSONDecodeError as fault:
        raise _NotAnObject(f"not JSON: {fault.msg} at character {fault.pos + 1}") from None
    except RecursionError:
        raise _NotAnObject("JSON nested too deeply") from None
    if "" in fields:
        raise _NotAnObject("a field without a name")
    return fields


def _text_of(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return "true" if value else "false"  # numbers were left as text, nested values were replaced by theirs


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless it names a field twice: one of the two values would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotAnObject("an object that names a field twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=str)


def _nested_as_sent(text: str) -> Fields:
    """The objects and lists directly in an object, each as the piece of text that it is; the text is valid JSON."""
    pieces: Fields = {}
    position = text.index("{") + 1
    while True:
        name, position = scanstring(text, text.index('"', position) + 1)
        start = _next(text, text.index(":", position) + 1)
        _, position = _DECODER.raw_decode(text, start)
        if text[start] in "{[":
            pieces[name] = text[start:position]
        position = _next(text, position)
        if text[position] == "}":
            return pieces


def _next(text: str, position: int) -> int:
    while text[position] in _SPACE:
        position += 1
    return position
