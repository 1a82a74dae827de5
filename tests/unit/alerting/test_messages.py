"""What an alert says: one subject line, a bounded text, and nothing of a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.alerting.messages import Alert, Message, masked

KNOWN = {"orders.csv", "order_id"}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("file 'orders.csv' lacks 'order_id'", "file 'orders.csv' lacks 'order_id'"),
        ("found 'Anna', 'Schmidt'", "found '...', '...'"),
        ('Conversion Error: "DE44 1234" is no number', 'Conversion Error: "..." is no number'),
        ("for anna.schmidt+x@mail.example, twice", "for ... twice"),
        ("call +49 170 1234567 now", "call ... now"),
        ("as of 2025-12-31, 34 of 1200 rows", "as of 2025-12-31, 34 of 1200 rows"),
        ("two\nlines\tof text", "two lines of text"),
    ],
)
def test_what_a_fault_quotes_is_masked_unless_it_is_the_shops_own_word(said: str, left: str) -> None:
    assert masked(said, KNOWN.__contains__) == left


@given(st.text(), st.from_regex(r"[a-z]{3,9}@[a-z]{3,9}\.[a-z]{2,3}", fullmatch=True), st.text())
def test_no_address_survives_masking_whatever_stands_around_it(before: str, address: str, after: str) -> None:
    assert address not in masked(f"{before}{address}{after}", lambda _: False)


def test_a_long_text_is_cut() -> None:
    assert masked("x " * 2000, KNOWN.__contains__).endswith(" ...")
    assert len(masked("x " * 2000, KNOWN.__contains__)) == 600


def test_a_subject_is_one_line_and_says_how_many_more() -> None:
    alerts = (Alert("a", "one\r\nBcc: x", "t", "warning"), Alert("b", "two", "t", "warning"))
    assert Message(1, "", "Shop", alerts).subject == "[Shop] warning: one Bcc: x (and 1 more)"
    assert Message(1, "", "Shop", (), ("two",)).subject == "[Shop] well again: two"


def test_a_text_lists_twenty_problems_and_counts_the_others() -> None:
    text = Message(1, "", "Shop", tuple(Alert(str(n), f"problem {n}", "t") for n in range(25))).text()
    assert text.count("CRITICAL: problem") == 20
    assert "and 5 more" in text
