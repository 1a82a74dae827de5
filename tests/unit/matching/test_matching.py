"""What is compared of whom, and what a night says that suggests nothing."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.assets.matching import suggested_merges_assets
from dagster_project.doctor import examine
from dagster_project.matching.fields import FIELDS, OTHER
from dagster_project.matching.model import MatchingError, PairModel
from dagster_project.matching.people import BLOCKS, LARGEST_BLOCK, add_blocks, add_texts
from dagster_project.matching.suggestions import WHOLE_MODEL, write_suggested_merges
from dagster_project.settings import Settings, load_settings
from dagster_project.sources.identifiers import Spelling
from dagster_project.warehouse import Warehouse

IDENTIFIERS = ("loyalty_card", "mailbox", "phone", "social_handle", "full_name", "birthday", "email")
NO_MAILBOX = {"mailbox": None, "mailbox_name": None}
AN_EDIT_APART = {one.words: one.condition for field in FIELDS for one in field.agreements if "apart" in one.words}


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def edits(one: str, other: str) -> int:
    """Edits and swaps of neighbours between two texts (optimal string alignment), in plain Python."""
    table = {(place, 0): place for place in range(len(one) + 1)} | {
        (0, place): place for place in range(len(other) + 1)
    }
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            cost = int(one[i - 1] != other[j - 1])
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + cost)
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(one), len(other)]


@given(text=st.text("ab1.", min_size=4, max_size=9), changed=st.text("ab1.", min_size=4, max_size=9), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_letter_apart_is_one_edit_wherever_it_is(
    engine: duckdb.DuckDBPyConnection, text: str, changed: str, data: st.DataObject
) -> None:
    """The shortcut by halves loses no pair: neither one that an edit made, nor any other."""
    place = data.draw(st.integers(0, len(text)))
    letter = data.draw(st.sampled_from("ab1."))
    for other in (changed, text[:place] + letter + text[place:], text[:place] + text[place + 1 :]):
        [(is_near,)] = engine.execute(
            f"select {AN_EDIT_APART['mailbox a letter apart']} from (select ? as mailbox_name_l, ? as mailbox_name_r)",
            [text, other],
        ).fetchall()
        assert is_near == (min(len(text), len(other)) >= 6 and edits(text, other) == 1)


@pytest.mark.parametrize("has_originals", [True, False])
def test_every_field_tells_what_two_records_agree_in(engine: duckdb.DuckDBPyConnection, has_originals: bool) -> None:
    """Hand-written pairs, each the closest agreement of its field; hashes alone see only what is the same."""
    columns = [
        "full_name",
        "name_text",
        "name_words",
        "birthday",
        "birthday_text",
        "mailbox",
        "mailbox_name",
        "phone",
        "phone_text",
    ]
    anna = ("h1", "albers anna", ["albers", "anna"], "b1", "1990-05-07", "m1", "annaalbers", "p1", "4930123456")
    for field, changed, words in (
        ("name", {}, "same"),
        ("name", {"full_name": "h2", "name_text": "albers anne"}, "alike"),
        ("name", {"full_name": "h2", "name_text": "anna neu", "name_words": ["anna", "neu"]}, "a word in common"),
        ("name", {"full_name": "h2", "name_text": "wu li", "name_words": ["li", "wu"]}, OTHER),
        ("birthday", {"birthday": "b2", "birthday_text": "1990-07-05"}, OTHER),
        ("birthday", {"birthday": "b2", "birthday_text": "1990-05-08"}, "a digit apart"),
        ("contact", {}, "same mailbox and telephone"),
        ("contact", {"phone": None, "phone_text": None}, "same mailbox"),
        ("contact", {"mailbox": "m2", "mailbox_name": "wuli"}, "same telephone"),
        ("contact", {"mailbox": "m2", "phone": "p2", "phone_text": "49111"}, "mailbox same before the @"),
        ("contact", {"mailbox": "m2", "mailbox_name": "anaalbers", "phone": None}, "mailbox a letter apart"),
        ("contact", {**NO_MAILBOX, "phone": "p2", "phone_text": "4930123465"}, "telephone a digit apart"),
        ("contact", {**NO_MAILBOX, "phone": None, "phone_text": None}, None),
    ):  # fmt: skip
        compared = next(one for one in FIELDS if one.name == field)
        cases = "".join(
            f" when {one.condition} then '{one.words}'" for one in compared.possible(has_originals=has_originals)
        )
        other = dict(zip(columns, anna, strict=True)) | changed
        sides = [f"? as {name}_l" for name in columns] + [f"? as {name}_r" for name in columns]
        [(found,)] = engine.execute(
            f"select case when {compared.unknown} then null{cases} else '{OTHER}' end from (select {', '.join(sides)})",
            [*anna, *(other[name] for name in columns)],
        ).fetchall()
        is_exact = words is None or (words.startswith("same") and "@" not in words)
        assert found == (words if has_originals or is_exact else OTHER), (field, changed)


def people(engine: duckdb.DuckDBPyConnection, rows: list[dict[str, str]]) -> None:
    """The table of records from some of their identifiers."""
    engine.execute(
        "create or replace table people (customer_key varchar, record_key varchar, record_name varchar, "
        f"began_at timestamp, {', '.join(f'{name} varchar' for name in IDENTIFIERS)})"
    )
    for number, row in enumerate(rows):
        told = {"customer_key": f"c{number}", "record_key": f"r{number:05}"} | row
        engine.execute(
            f"insert into people by name select {', '.join(f'? as {name}' for name in told)}", [*told.values()]
        )


def test_what_too_many_share_opens_no_block(engine: duckdb.DuckDBPyConnection) -> None:
    crowd = [
        {"phone": "office", "mailbox": f"m{number}", "full_name": "n", "birthday": "1900"}
        for number in range(LARGEST_BLOCK + 1)
    ]
    people(engine, [*crowd, *({"phone": "home", "full_name": "rare", "birthday": "b"} for _ in range(2))])
    add_texts(engine, None, Spelling())
    add_blocks(engine)
    told = engine.execute("select distinct phone, birthday, by_name, by_name_and_birthday from people order by all")
    assert told.fetchall() == [("home", "b", "rare", "rare|b"), (None, None, None, None)]
    largest = [
        engine.execute(
            f"select max(n) from (select count(*) as n from people where {block} is not null group by {block})"
        ).fetchall()[0][0]
        for block in BLOCKS
    ]
    assert max(size or 0 for size in largest) <= LARGEST_BLOCK


def built(home: Path, **identity: object) -> tuple[Warehouse, Settings]:
    """A build whose customers are resolved, of three accounts."""
    chosen = load_settings(Path("examples/demo.yaml"), home=home, definitions={"identity": identity})
    warehouse = Warehouse(chosen)
    warehouse.begin(dt.date(2025, 12, 31), {}, "test")
    with warehouse.connect() as con:
        told = ", ".join(f"'{name}' as {name}" for name in IDENTIFIERS)
        con.execute(
            "create table scratch.intermediate.int_identity_records as select 'k' || range as record_key, "
            f"'s:' || range as record_name, {told} from range(3)"
        )
        con.execute(
            "create table scratch.intermediate.int_customer_identities as select record_key, "
            "record_key as customer_key, timestamp '2025-01-01' as began_at "
            "from scratch.intermediate.int_identity_records"
        )
    return warehouse, chosen


@pytest.mark.parametrize(
    ("is_on", "status", "reason"),
    [
        (False, "off", "definitions.identity.suggests_merges is not set"),
        (True, "insufficient_data", "3 different records are too few, or too few of them agree, to learn from"),
    ],
)
def test_a_night_without_a_model_says_why(tmp_path: Path, is_on: bool, status: str, reason: str) -> None:
    if is_on:
        pytest.importorskip("splink", reason="needs the extra [matching]")
    warehouse, chosen = built(tmp_path, suggests_merges=is_on)
    with warehouse.connect() as con:
        outcome = write_suggested_merges(con, chosen)
        assert (outcome.status, outcome.reason) == (status, reason)
        assert con.execute("select count(*) from quality.suggested_merges").fetchall() == [(0,)]
        told = con.execute("select field, status, status_reason, same_person_share from quality.matching_parameters")
        assert told.fetchall() == [(WHOLE_MODEL, status, reason, None)]


def test_without_the_extra_the_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    """Before anything is built: when the code location is assembled; by `loyalty doctor`; and by the step itself."""
    warehouse, chosen = built(tmp_path, suggests_merges=True)
    [found] = [finding for finding in examine(chosen) if finding.subject == "python and packages"]
    assert not found.is_well
    assert "install loyalty-warehouse[matching]" in found.text
    with pytest.raises(MatchingError, match="needs the package splink, and it is not installed"):
        suggested_merges_assets(chosen)
    with (
        warehouse.connect() as con,
        pytest.raises(
            MatchingError, match=r"is not installed; install loyalty-warehouse\[matching\], or turn the setting off"
        ),
    ):
        write_suggested_merges(con, chosen)


def test_a_model_without_pairs_is_not_trained(engine: duckdb.DuckDBPyConnection) -> None:
    pytest.importorskip("splink", reason="needs the extra [matching]")
    people(engine, [{"mailbox": f"m{number}"} for number in range(200)])
    add_texts(engine, None, Spelling())
    add_blocks(engine)
    model = PairModel(engine, has_originals=False)
    assert [field.name for field in model.fields] == ["contact"]
    assert not model.train()
