"""Whatever stands in a name or a text, it is no SQL."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.sql_text import literal, quoted_identifier

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@given(text=TEXTS)
def test_a_literal_stays_a_text(text: str, con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute(f"select {literal(text)}").fetchall() == [(text,)]


@given(name=TEXTS.filter(bool))
def test_a_quoted_name_stays_a_name(name: str, con: duckdb.DuckDBPyConnection) -> None:
    assert con.execute(f"select 1 as {quoted_identifier(name)}").description[0][0] == name
