"""Identifiers at the door: what is landed, what is kept in clear and where, and what never is."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import stat
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dagster_project.keyed_hashes import keyed_hash_sql, set_keys
from dagster_project.sources.forgotten import forgotten_path, last_forgotten_at, remember_forgotten
from dagster_project.sources.identifiers import Spelling
from dagster_project.sources.landing import land, raw_select_sql, rejects_select_sql
from dagster_project.sources.originals import originals_path, remove_originals
from dagster_project.sources.protection import Protection
from dagster_project.sources.tables import SourceTable

NOW = dt.datetime(2026, 1, 1, 3, tzinfo=dt.UTC)
KEY = "a key for tests only"
COLUMNS = ("customer_id", "email", "phone", "note")
ANNA = "c1,Anna.Albers+shop@Mail.Example,01512/3456789,likes tea"
HASH = re.compile(r"[?]?[0-9a-f]{32}")


@pytest.fixture
def table(tmp_path: Path) -> SourceTable:
    folder = tmp_path / "deliveries"
    folder.mkdir()
    protection = Protection(
        home=tmp_path / "home",
        identifiers=(("email", "email"), ("phone", "phone")),
        identifies=("account", "customer_id"),
        spelling=Spelling(calling_code="49"),
    )
    return SourceTable("shop", "contacts", folder, "contacts.csv", "csv", COLUMNS, protection=protection)


def deliver(table: SourceTable, *lines: str) -> None:
    (table.folder / "contacts.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")


def landed(table: SourceTable, *lines: str) -> list[dict[str, str | None]]:
    """The rows of a delivery as the landing zone holds them."""
    deliver(table, *lines)
    landing = home(table) / "landing"
    land(table, landing, NOW)
    found = duckdb.sql(f"select * from ({raw_select_sql(table, landing)}) order by _row_number")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def home(table: SourceTable) -> Path:
    assert table.protection is not None
    return table.protection.home


def hashed(text: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def originals(table: SourceTable) -> list[tuple[str, str, str]]:
    return duckdb.sql(f"from read_parquet('{originals_path(home(table))}') order by all").fetchall()


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("key", [KEY, "k", "x" * 64, "x" * 65, "ключ"])
@pytest.mark.parametrize("text", ["", "identifier/email:a@b.example", "王小明", "x" * 200])
def test_keyed_hash_is_hmac_sha256(key: str, text: str) -> None:
    with duckdb.connect() as con:
        set_keys(con, key)
        assert con.execute(f"select {keyed_hash_sql('$1')}", [text]).fetchall() == [(hashed(text, key),)]


def test_landed_identifiers_are_keyed_hashes_and_other_columns_stay(table: SourceTable) -> None:
    [row] = landed(table, ANNA)
    assert row["email"] == hashed("identifier/email:anna.albers+shop@mail.example")
    assert row["email__mailbox"] == hashed("identifier/mailbox:anna.albers@mail.example")
    assert row["phone"] == hashed("identifier/phone:4915123456789")
    assert (row["customer_id"], row["note"], row["_file"], row["_row_number"]) == ("c1", "likes tea", "contacts.csv", 1)
    assert list(row)[:5] == ["customer_id", "email", "email__mailbox", "phone", "note"]


def test_nothing_of_an_identifier_is_anywhere_but_in_the_file_of_originals(table: SourceTable) -> None:
    landed(table, ANNA)
    path = originals_path(home(table))
    assert originals(table) == [
        ("email", hashed("identifier/email:anna.albers+shop@mail.example"), "Anna.Albers+shop@Mail.Example"),
        ("phone", hashed("identifier/phone:4915123456789"), "01512/3456789"),
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()
    for text in (b"Albers", b"albers", b"3456789"):
        assert text not in everything_under(home(table))


def test_originals_can_be_dropped(table: SourceTable) -> None:
    assert table.protection is not None
    table = replace(table, protection=replace(table.protection, keeps_originals=False))
    assert landed(table, ANNA)[0]["phone"] == hashed("identifier/phone:4915123456789")
    assert not originals_path(home(table)).exists()


def test_blank_is_absent_and_what_is_none_of_its_kind_is_marked(table: SourceTable) -> None:
    blank, wrong = landed(table, "c1,,  ,x", "c2,n/a,12,y")
    assert (blank["email"], blank["email__mailbox"], blank["phone"]) == (None, None, None)
    assert (wrong["email"], wrong["phone"]) == (
        "?" + hashed("identifier/email:n/a"),
        "?" + hashed("identifier/phone:12"),
    )
    assert wrong["email__mailbox"] is None


def test_the_same_identifier_meets_across_spellings_and_not_across_kinds(table: SourceTable) -> None:
    one, other, number = landed(table, ANNA, "c2,ANNA.ALBERS@mail.example,+49 1512 3456789,x", "c3,,4915123456789,y")
    assert one["email__mailbox"] == other["email__mailbox"]
    assert one["email"] != other["email"]
    assert one["phone"] == other["phone"] == number["phone"]
    assert hashed("identifier/card:4915123456789") != number["phone"]


def test_another_key_gives_other_hashes_and_lands_the_file_anew(
    table: SourceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    [before] = landed(table, ANNA)
    monkeypatch.setenv("LOYALTY_KEY", "another key")
    [after] = landed(table, ANNA)
    assert after["email"] == hashed("identifier/email:anna.albers+shop@mail.example", "another key") != before["email"]
    assert after["_load_id"] != before["_load_id"]


def test_landing_twice_adds_nothing_and_gives_the_same_bytes(table: SourceTable) -> None:
    landed(table, ANNA)
    before = everything_under(home(table))
    landed(table, ANNA)
    assert everything_under(home(table)) == before


def test_a_landed_file_that_is_damaged_is_sealed_again_from_its_source(table: SourceTable) -> None:
    before = landed(table, ANNA)
    [parquet] = (home(table) / "landing" / "shop" / "contacts").glob("*.parquet")
    parquet.write_bytes(parquet.read_bytes()[:-7])
    assert landed(table, ANNA) == before
    assert b"Albers" not in everything_under(home(table) / "landing")


def test_a_record_that_cannot_be_read_is_listed_without_its_text(table: SourceTable) -> None:
    landed(table, ANNA, "c2,ben.brandt@mail.example")
    rows = duckdb.sql(rejects_select_sql([table], home(table) / "landing")).fetchall()
    assert [(row[3], row[4], row[5]) for row in rows] == [(3, "too few fields: expected 4, found 1", None)] or [
        (row[3], row[5]) for row in rows
    ] == [(3, None)]
    assert b"brandt" not in everything_under(home(table))


def test_fields_of_several_lines_are_sealed_too(table: SourceTable) -> None:
    [row] = landed(table, 'c1,"anna.albers\n@mail.example",0151 23456789,"two\nlines"')
    assert row["email"] == hashed("identifier/email:anna.albers@mail.example")
    assert row["note"] == "two\nlines"


def test_an_empty_file_keeps_its_columns(table: SourceTable) -> None:
    assert landed(table) == []
    found = duckdb.sql(raw_select_sql(table, home(table) / "landing"))
    assert found.columns[:5] == ["customer_id", "email", "email__mailbox", "phone", "note"]


def test_typed_columns_of_parquet_are_sealed(table: SourceTable) -> None:
    assert table.protection is not None
    protection = replace(table.protection, identifiers=(("born", "birthday"),))
    typed = replace(
        table, files="contacts.parquet", format="parquet", columns=("customer_id", "born"), protection=protection
    )
    rows = pa.table({"customer_id": [1, 2], "born": pa.array([dt.date(1990, 5, 17), None])})
    pq.write_table(rows, table.folder / "contacts.parquet")
    land(typed, home(table) / "landing", NOW)
    found = duckdb.sql(f"select customer_id, born from ({raw_select_sql(typed, home(table) / 'landing')}) order by 1")
    assert found.fetchall() == [(1, hashed("identifier/birthday:1990-05-17")), (2, None)]


def test_who_was_forgotten_is_not_let_in_again(table: SourceTable) -> None:
    remember_forgotten(home(table), [hashed("shop:c1")], NOW)
    forgotten, other = landed(table, ANNA, "c2,ben.brandt@mail.example,,x")
    assert (forgotten["customer_id"], forgotten["email"], forgotten["email__mailbox"], forgotten["phone"]) == (
        "c1", None, None, None,
    )  # fmt: skip
    assert other["email"] is not None
    assert [kind for kind, *_ in originals(table)] == ["email"]


def test_the_list_of_the_forgotten_only_grows_and_is_its_owners(tmp_path: Path) -> None:
    assert last_forgotten_at(tmp_path) is None
    remember_forgotten(tmp_path, ["b"], NOW)
    remember_forgotten(tmp_path, ["a", "b"], NOW + dt.timedelta(days=1))
    assert forgotten_path(tmp_path).read_text(encoding="utf-8").splitlines() == [
        "record_key,forgotten_at", "b,2026-01-01T03:00:00+00:00", "a,2026-01-02T03:00:00+00:00",
    ]  # fmt: skip
    assert last_forgotten_at(tmp_path) == NOW + dt.timedelta(days=1)
    assert stat.S_IMODE(forgotten_path(tmp_path).stat().st_mode) == 0o600


def test_removed_originals_leave_no_byte(table: SourceTable) -> None:
    landed(table, ANNA, "c2,ben.brandt@mail.example,,x")
    pseudonym = hashed("identifier/email:ben.brandt@mail.example")
    assert remove_originals(home(table), {pseudonym, "unknown"}) == 1
    assert remove_originals(home(table), {pseudonym}) == 0
    assert [kind for kind, *_ in originals(table)] == ["email", "phone"]
    assert b"brandt" not in everything_under(home(table))


def test_of_several_spellings_the_newest_is_kept(table: SourceTable) -> None:
    landed(table, "c1,anna@mail.example,,x")
    landed(table, "c1,Anna@Mail.Example,,x")
    assert [original for *_, original in originals(table)] == ["Anna@Mail.Example"]


@settings(max_examples=20, deadline=None)
@given(cells=st.lists(st.text(st.characters(codec="utf-8", exclude_characters='\0\r\n",')), min_size=1, max_size=5))
@example(["\t", "\x1f", "\x85", "\u3000 \u2028"])
def test_any_text_is_sealed_or_absent(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    root = tmp_path_factory.mktemp("any")
    protection = Protection(root / "home", (("email", "email"),))
    table = SourceTable("shop", "contacts", root, "contacts.csv", "csv", COLUMNS, protection=protection)
    rows = landed(table, *(f"c{number},{cell},,x" for number, cell in enumerate(cells)))
    assert len(rows) == len(cells)
    assert all(row["email"] is None or HASH.fullmatch(row["email"]) for row in rows)
    assert [row["email"] is None for row in rows] == [not cell.strip() for cell in cells]
