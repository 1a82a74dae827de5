"""Feeds that a shop does not have yet: their facts are empty, nothing else changes, and each is warned of."""

from __future__ import annotations

from typing import Any

import pytest
from corner_shop import NIGHT, CornerShop

from dagster_project.checks import suites_of
from dagster_project.warehouse import Warehouse
from expectations.runner import run_suites

ABSENT = {
    "refunds": "refunds.csv",
    "reviews": "reviews.parquet",
    "survey_invitations": "survey_invitations.csv.gz",
    "support_contacts": "support_contacts.csv",
    "support_events": "support_events.csv",
    "social_mentions": "social_mentions.parquet",
    "contacts": "contacts.csv",
}
EMPTY = "survey_answers"


def without_feedback_and_refunds(settings: dict[str, Any]) -> None:
    for table in (*ABSENT, EMPTY):
        settings["sources"]["demo"]["tables"][table]["is_optional"] = True


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> CornerShop:
    """The shop without these feeds, built in SQL; that such a night ends is seen in `test_standard_shop.py`."""
    shop = CornerShop.open(tmp_path_factory.mktemp("young"))
    shop.configure(without_feedback_and_refunds)
    for file in ABSENT.values():
        (shop.deliveries / file).unlink()
    answers = shop.deliveries / f"{EMPTY}.csv"
    answers.write_bytes(answers.read_bytes().partition(b"\n")[0] + b"\n")
    shop.build()
    return shop


def test_optional_feeds_that_are_absent_or_empty_leave_their_facts_empty(
    young: CornerShop, published_shop: CornerShop
) -> None:
    orders = "select count(*) from marts.fct_orders"
    assert young.built(orders) == published_shop.query(orders)
    for mart in ("fct_feedback", "fct_refunds", "fct_survey_invitations", "fct_support_contacts", "fct_mentions"):
        assert young.built(f"select count(*) from marts.{mart}") == [(0,)]
    assert young.built("select bool_and(is_reconciled) from quality.reconciliation") == [(True,)]


def test_each_absent_feed_is_warned_of_and_stops_nothing(young: CornerShop) -> None:
    settings = young.settings()
    with Warehouse(settings).connect() as con:
        found = run_suites(con, suites_of("raw", settings), young.root / "gx", lambda _: None, NIGHT)
    assert {(one.table, one.name, one.severity) for one in found if not one.is_passed} == {
        (f"demo__{table}", "there_are_rows", "warning") for table in (*ABSENT, EMPTY)
    }
