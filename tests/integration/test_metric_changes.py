"""A night after its source sent this and that: what moved, by how much and why, from raw files to published parts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb
import pytest
from corner_shop import NIGHT, CornerShop

from dagster_project.explaining.changes import Change, NotExplained
from dagster_project.explaining.headlines import HEADLINES
from dagster_project.explaining.nights import changes_between
from dagster_project.nightly import run_night
from dagster_project.publishing.versions import list_versions

NEXT = NIGHT + dt.timedelta(days=1)
FIRST, SECOND = f"{NIGHT}_001", f"{NEXT}_001"
LATER = f"{NIGHT} 10:00:00"
LONG_SENT = NIGHT - dt.timedelta(days=60)


@pytest.fixture(scope="module")
def next_night(
    published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CornerShop, dict[str, Decimal]]:
    """The shop after a late order, a refund, a cancellation, an order moved to another customer, and another rule."""
    shop = published_shop.copy_to(tmp_path_factory.mktemp("next_night") / "shop")
    ids = shop.query(
        "select order_id, net_amount from marts.fct_orders where is_valid and count_refunds = 0 and net_amount > 20 "
        f"and order_date < date '{LONG_SENT}' and order_date > date '{LONG_SENT}' - 200 "
        "qualify row_number() over (partition by customer_key order by order_date desc, order_id) = 1 "
        "order by order_date desc, order_id limit 3"
    )
    (refunded, _), (cancelled, lost), (moved, _) = ids
    place = {row[0]: row for row in _rows(shop, "orders.csv")}
    customer, status, updated = (shop.place("orders.csv", name) for name in ("customer_id", "status", "updated_at"))
    somebody = place[refunded][customer]
    late = list(place[refunded])
    late[0], late[shop.place("orders.csv", "ordered_at")], late[updated] = "late-1", "2025-12-01 12:00:00", LATER
    late[shop.place("orders.csv", "discount_amount")] = "0"
    gone, given = list(place[cancelled]), list(place[moved])
    gone[status], gone[updated] = "cancelled", LATER
    given[customer], given[updated] = somebody, LATER
    shop.append("orders.csv", late, gone, given)
    shop.append("order_lines.csv.gz", ["late-1", "1", "p001", "2", "10.00"])
    refund = ["r-late", refunded, LATER, "1.50", "quality"]
    assert [name.strip() for name in shop.row("refunds.csv", 0)][: len(refund)] == [
        "refund_id", "order_id", "refunded_at", "refund_amount", "reason",
    ]  # fmt: skip
    shop.append("refunds.csv", refund)
    shop.configure(lambda chosen: chosen.setdefault("definitions", {}).update(loyal_minimum_occasions=2))
    run_night(shop.settings(), NEXT, None, dg.DagsterInstance.ephemeral())
    [(new,)] = shop.query(f"select sum(net_amount) from marts.fct_orders where is_revenue and order_date > '{NIGHT}'")
    return shop, {"late_data": Decimal(20), "refunds": Decimal("-1.5"), "edits": -lost, "new_events": new}


def _rows(shop: CornerShop, file: str) -> list[list[str]]:
    count = (shop.deliveries / file).read_bytes().count(b"\n")
    return [shop.row(file, number) for number in range(1, count)]


@pytest.fixture(scope="module")
def changes(next_night: tuple[CornerShop, dict[str, Decimal]]) -> list[Change]:
    shop, _ = next_night
    with duckdb.connect() as con:
        return changes_between(con, shop.home / "published", FIRST, SECOND, list(HEADLINES))


def parts(changes: list[Change], metric: str) -> dict[str, Any]:
    return {change.cause: change.part for change in changes if change.headline.metric == metric and change.part}


def test_revenue_moved_by_what_was_sent_to_the_cent(
    next_night: tuple[CornerShop, dict[str, Decimal]], changes: list[Change]
) -> None:
    assert parts(changes, "total_net") == next_night[1]


def test_another_rule_moves_the_loyal_share_and_no_revenue(changes: list[Change]) -> None:
    assert parts(changes, "loyal_share")["definitions_or_code"] > 0
    moved_by_rules = {
        change.headline.metric for change in changes if change.cause == "definitions_or_code" and change.part
    }
    assert moved_by_rules <= {"loyal_share", "predicted_clv"}


def test_an_order_that_changed_hands_moves_no_revenue(changes: list[Change]) -> None:
    [moved] = [
        change
        for change in changes
        if change.cause == "identity_merges" and change.headline.metric == "purchase_frequency"
    ]
    assert moved.count_customers > 0
    assert "identity_merges" not in parts(changes, "total_net")


def test_every_difference_is_the_sum_of_its_parts(changes: list[Change]) -> None:
    for headline in HEADLINES:
        own = [change for change in changes if change.headline == headline]
        assert sum(change.part for change in own if change.part is not None) == own[0].difference


def test_the_first_night_has_nothing_to_compare_with(published_shop: CornerShop) -> None:
    assert published_shop.query("select count(*) from quality.metric_changes") == [(0,)]
    [manifest] = list_versions(published_shop.home / "published")
    assert manifest.compared_with is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("2025-01-01_001", SECOND, "no version '2025-01-01_001' in .*; there are: 2025-12-30_001, 2025-12-31_001"),
        (FIRST, "never", "no version 'never'"),
    ],
)
def test_versions_that_are_not_there_are_named(
    next_night: tuple[CornerShop, dict[str, Decimal]], before: str, after: str, said: str
) -> None:
    with duckdb.connect() as con, pytest.raises(NotExplained, match=said):
        changes_between(con, next_night[0].home / "published", before, after, list(HEADLINES))


def test_the_published_parts_are_these(
    next_night: tuple[CornerShop, dict[str, Decimal]], changes: list[Change]
) -> None:
    shop, _ = next_night
    assert list_versions(shop.home / "published")[-1].compared_with == FIRST
    published = shop.query("select metric, period_type, cause, part, count_customers from quality.metric_changes")
    assert set(published) == {
        (one.headline.metric, one.headline.period_type, one.cause, one.part, one.count_customers) for one in changes
    }
    assert (
        shop.query(
            "select cause, sum(part) from quality.metric_change_customers where metric = 'total_net' group by cause"
        )
        != []
    )


def test_an_earlier_version_is_no_explanation_of_a_later_one(next_night: tuple[CornerShop, dict[str, Decimal]]) -> None:
    with duckdb.connect() as con, pytest.raises(NotExplained, match=f"{SECOND} is as of {NEXT}, after {FIRST}"):
        changes_between(con, next_night[0].home / "published", SECOND, FIRST, list(HEADLINES))
