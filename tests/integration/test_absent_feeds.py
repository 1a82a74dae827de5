"""Feeds that a shop does not have yet: the night goes on, and what rests on them is unknown, not zero."""

from __future__ import annotations

from typing import Any

from corner_shop import CornerShop

from dagster_project.publishing.versions import read_manifest

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


def test_optional_feeds_that_are_absent_or_empty_leave_their_metrics_unknown(shop: CornerShop) -> None:
    young = CornerShop.open(shop.root / "young")
    young.configure(without_feedback_and_refunds)
    for file in ABSENT.values():
        (young.deliveries / file).unlink()
    answers = young.deliveries / f"{EMPTY}.csv"
    answers.write_bytes(answers.read_bytes().partition(b"\n")[0] + b"\n")
    young.run()
    assert young.query("select count(*) from marts.fct_orders") == shop.query("select count(*) from marts.fct_orders")
    for mart in ("fct_feedback", "fct_refunds", "fct_survey_invitations", "fct_support_contacts", "fct_mentions"):
        assert young.query(f"select count(*) from marts.{mart}") == [(0,)]
    assert young.query("select count(metric_value) from marts.loyalty_metrics where metric = 'nps'") == [(0,)]
    assert young.query("select bool_and(is_reconciled) from quality.reconciliation") == [(True,)]
    warnings = read_manifest(young.home / "published" / "current").checks["warnings"]
    assert sorted(warning.partition(":")[0] for warning in warnings) == [
        f"there_are_rows on raw.demo__{table}" for table in sorted((*ABSENT, EMPTY))
    ]
