"""Forms of identifiers: which spellings are the same, which are none, and which must stay apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dagster_project.sources.identifiers import (
    LOOK_ALIKES,
    IdentifierKind,
    Spelling,
    clean_sql,
    form_sql,
    mailbox_sql,
)
from dagster_project.sources.protection import looks_like_an_identifier

GERMAN = Spelling(calling_code="49")
TAIWANESE = Spelling(calling_code="886")
AMERICAN = Spelling(calling_code="1", trunk_prefix="")
Form = Callable[..., str | None]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@pytest.fixture(scope="module")
def form(con: duckdb.DuckDBPyConnection) -> Form:
    def found(kind: IdentifierKind, text: str, spelling: Spelling = GERMAN) -> str | None:
        return con.execute(
            f"select {form_sql(kind, 'clean', spelling)} from (select {clean_sql(kind, 'plain')} as clean "
            "from (select $1::varchar as plain))",
            [unicodedata.normalize("NFKC", text)],
        ).fetchall()[0][0]

    return found


@pytest.fixture(scope="module")
def mailbox(con: duckdb.DuckDBPyConnection, form: Form) -> Form:
    def found(text: str, spelling: Spelling = GERMAN) -> str | None:
        address = form("email", text, spelling)
        sql = f"select {mailbox_sql('address', spelling)} from (select $1::varchar as address)"
        return None if address is None else con.execute(sql, [address]).fetchall()[0][0]

    return found


@pytest.mark.parametrize(
    "written",
    [
        "anna.albers@mail.example", "Anna.Albers@Mail.Example", " anna.albers@mail.example ",
        "anna.albers@mail.example.", "ANNA.ALBERS@MAIL.EXAMPLE",
        "\uff41nna.albers@mail.example", "anna.albers\uff20mail.example",
        "anna.\u200balbers@mail.example", "anna.albers @mail.example\u00a0",
    ],
)  # fmt: skip
def test_addresses_that_differ_in_case_space_and_width_are_the_same(form: Form, written: str) -> None:
    assert form("email", written) == "anna.albers@mail.example"


@pytest.mark.parametrize(
    "written", ["", "n/a", "anna.albers", "@mail.example", "anna@mail", "a@b@mail.example", "anna@.de"]
)
def test_a_text_without_a_mailbox_and_a_domain_is_no_address(form: Form, written: str) -> None:
    assert form("email", written) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("anna.albers+shop@gmail.com", "annaalbers@gmail.com"),
        ("Anna.Albers@googlemail.com", "annaalbers@gmail.com"),
        ("anna.albers+shop@post.example", "anna.albers@post.example"),
        ("\u0430nna.\u0430lb\u0435rs@post.example", "anna.albers@post.example"),
        ("anna.albers@p\u043est.example", "anna.albers@post.example"),
        ("+shop@post.example", "+shop@post.example"),
    ],
)
def test_a_mailbox_is_what_its_provider_takes_for_the_same(mailbox: Form, written: str, expected: str) -> None:
    assert mailbox(written) == expected


def test_a_shop_says_which_providers_ignore_dots_and_tags(mailbox: Form) -> None:
    assert mailbox("a.b+c@post.example", Spelling(dotless_domains=("*",))) == "ab@post.example"
    assert mailbox("a.b+c@gmail.com", Spelling(dotless_domains=(), has_tags=False)) == "a.b+c@gmail.com"


@pytest.mark.parametrize(
    ("spelling", "written", "expected"),
    [  # what Google's libphonenumber (phonenumbers 9.0.43) makes of them for a reader in that country
        *((GERMAN, written, "4915123456789") for written in (
            "+49 1512 3456789", "01512/3456789", "0049 1512 3456789", "(01512) 345-6789", "+49 (0)1512 3456789",
            "01512 3456789 ext. 12", "1512 3456789",
        )),
        (GERMAN, "+886 912-345-678", "886912345678"),
        (GERMAN, "00886912345678", "886912345678"),
        (TAIWANESE, "0912-345-678", "886912345678"),
        (TAIWANESE, "+886 912 345 678", "886912345678"),
        (TAIWANESE, "886912345678", "886912345678"),
        *((AMERICAN, written, "14155552671") for written in (
            "(415) 555-2671", "+1 415 555 2671", "1-415-555-2671", "415.555.2671 x99",
        )),
    ],
)  # fmt: skip
def test_telephone_numbers_take_their_international_form(
    form: Form, spelling: Spelling, written: str, expected: str
) -> None:
    assert form("phone", written, spelling) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("\uff0b\uff14\uff19 1512 3456789", "4915123456789"),
        ("+49-1512-345+6789", "4915123456789"),
        ("000151234 56789", "4915123456789"),
        ("12", None),
        ("none", None),
        ("+49 1512 3456 7890 1234", None),
    ],
)
def test_numbers_that_people_mistype_are_read_or_refused(form: Form, written: str, expected: str | None) -> None:
    assert form("phone", written) == expected


@pytest.mark.parametrize(
    "written", ["Anna Albers", "albers, anna", "  ANNA   ALBERS ", "Ann\u00e0 Albers", "Ann\u0430 Albers"]
)
def test_names_are_their_words_in_any_order(form: Form, written: str) -> None:
    assert form("name", written) == "albers anna"


def test_names_in_other_scripts_stay_themselves(form: Form) -> None:
    assert form("name", "\u738b \u5c0f\u660e") == "\u5c0f\u660e \u738b"
    assert form("name", " - ") is None


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("birthday", "1990-05-17", "1990-05-17"),
        ("birthday", "1990-05-17 00:00:00", "1990-05-17"),
        ("birthday", "17.05.1990", None),
        ("card", "lc-0000 0001", "LC00000001"),
        ("card", "--", None),
        ("handle", "@Maple_1 ", "maple_1"),
        ("handle", "@", None),
    ],
)
def test_dates_cards_and_handles_have_one_form(
    form: Form, kind: IdentifierKind, written: str, expected: str | None
) -> None:
    assert form(kind, written) == expected


def test_look_alikes_are_single_letters_that_no_other_letter_claims() -> None:
    listed = [alike for letters in LOOK_ALIKES.values() for alike in letters]
    assert len(listed) == len(set(listed))
    assert all(not alike.isascii() and unicodedata.normalize("NFKC", alike) == alike for alike in listed)
    assert all(alike == alike.lower() for alike in listed)


@pytest.mark.parametrize(
    "column", ["email", "E-Mail", "customer_email", "mail_address", "Phone Number", "mobile", "date_of_birth",
               "surname", "FirstName", "author_handle", "iban"],
)  # fmt: skip
def test_columns_of_identifiers_are_known_by_their_names(column: str) -> None:
    assert looks_like_an_identifier(column)


@pytest.mark.parametrize(
    "column", ["customer_id", "product_name", "city", "mail_count", "handled_at", "campaign_name", "phone_orders"]
)
def test_other_columns_are_let_be(column: str) -> None:
    assert not looks_like_an_identifier(column)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(["email", "phone", "name", "card", "handle", "birthday"]), text=TEXTS)
@example(kind="handle", text="A\u00b4")  # an accent of its own is a space and an accent in NFKC
@example(kind="email", text="A\u00b4@shop.example")
def test_any_text_has_a_form_that_is_its_own_form(form: Form, kind: IdentifierKind, text: str) -> None:
    found = form(kind, text)
    assert found is None or form(kind, f"+{found}" if kind == "phone" else found) == found


@settings(max_examples=100, deadline=None)
@given(
    name=st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?", fullmatch=True),
    tag=st.from_regex(r"(\+[a-z]{0,5})?", fullmatch=True),
    is_wide=st.booleans(),
)
def test_spellings_of_one_mailbox_meet(mailbox: Form, name: str, tag: str, is_wide: bool) -> None:
    written = "".join(chr(ord(one) + 0xFEE0) if one.isalpha() else one for one in name) if is_wide else name.upper()
    assert mailbox(f"{written}{tag}@post.example") == mailbox(f"{name}@post.example") == f"{name}@post.example"
