"""A busy shop with dirt: each planted row is met as the register of kinds says, and nothing else moves."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from known_shop import ONE_CURRENCY, KnownShop

from dagster_project.sources.simulated_shop import Dirt, ShopPlan
from dagster_project.sources.simulated_shop.dirt import KINDS

DIRT = Dirt("heavy", {"cut_customer_row": 0.01, "quantity_in_words": 0.003, "negative_quantity": 0.003})
REFUSED_FOR = {
    "unreadable_order_time": ("orders", "`ordered_at` is not a time like 2025-01-31 13:45:00"),
    "future_order": ("orders", "`ordered_at` lies after the load"),
    "order_without_currency": ("orders", "`currency` is missing"),
    "quantity_in_words": ("order_lines", "`quantity` is not a whole number"),
    "score_as_text": ("survey_answers", "`score` is not a whole number"),
    "score_off_its_scale": ("survey_answers", "`score` is off the scale of its question"),
}
REPEATED = ("repeated_order", "edited_order", "reopened_order", "order_versions_of_one_moment")
LOSSY = ("refused", "excluded", "counted")
PLANTED_ORDERS = "select distinct key from memory.truth.dirt where kind = ? and feed = 'orders'"
MOVED_ACCOUNTS = """
    with moved as (
        select kind, split_part(key, '|', 1) as order_id
        from memory.truth.dirt where feed in ('orders', 'order_lines') and kind in ({lossy})
        union
        select dirt.kind, refunds.order_id from memory.truth.dirt as dirt
        join read_csv('{refunds}', all_varchar = true) as refunds on dirt.key = refunds.refund_id
        where dirt.kind = 'refund_above_its_order'
    )
    select distinct customer_id from memory.truth.orders join moved using (order_id) where customer_id is not null
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> KnownShop:
    plan = ShopPlan(customers=1_500, days=700, seed=24, countries=ONE_CURRENCY)
    return KnownShop.after_one_night(tmp_path_factory.mktemp("dirty"), plan, DIRT)


@pytest.fixture(scope="module")
def planted(shop: KnownShop) -> Counter[str]:
    """Planted rows of each kind in its own feed."""
    rows = shop.rows("select distinct kind, feed, key from memory.truth.dirt")
    return Counter(kind for kind, feed, _ in rows if KINDS[kind].feed == feed)


def refused(shop: KnownShop, table: str, reason: str) -> int:
    [(count,)] = shop.rows(
        "select count(*) from warehouse.quality.quarantined_rows where model = ? and contains(reasons, ?)",
        [f"stg_demo__{table}", reason],
    )
    return int(count)


def moved_accounts(shop: KnownShop) -> set[str]:
    """Accounts with an order of which dirt hid or changed the amount."""
    lossy = ", ".join(f"'{kind.name}'" for kind in KINDS.values() if kind.meets in LOSSY and kind.how == "rewritten")
    sql = MOVED_ACCOUNTS.format(lossy=lossy, refunds=shop.root / "deliveries" / "refunds.csv")
    return {account for (account,) in shop.rows(sql)}


def test_every_kind_that_levels_hold_and_the_shop_can_have_is_planted(planted: Counter[str]) -> None:
    read_by_the_warehouse = {"orders", "order_lines", "refunds", "customers", "survey_answers", "reviews"}
    expected = {kind.name for kind in KINDS.values() if kind.is_in_levels and kind.feed in read_by_the_warehouse}
    assert expected - set(planted) <= {"order_in_the_skipped_hour", "order_in_the_doubled_hour"}
    assert "order_status_of_a_new_release" not in planted


@pytest.mark.parametrize("kind", REFUSED_FOR)
def test_what_must_be_refused_is_refused_for_its_reason(shop: KnownShop, planted: Counter[str], kind: str) -> None:
    table, reason = REFUSED_FOR[kind]
    assert KINDS[kind].meets == "refused"
    assert refused(shop, table, reason) == planted[kind] > 0


def test_of_several_versions_of_an_order_one_stands(shop: KnownShop, planted: Counter[str]) -> None:
    count = refused(shop, "orders", "`order_id` repeats: a later row stands")
    assert count == sum(planted[kind] for kind in REPEATED) > 20


@pytest.mark.parametrize("kind", REPEATED)
def test_the_version_that_stands_is_the_true_one(shop: KnownShop, kind: str) -> None:
    rows = shop.rows(
        f"""
        select fct.order_status, fct.shipping_amount, orders.fate, orders.paid_amount
        from ({PLANTED_ORDERS}) as planted join warehouse.marts.fct_orders as fct on fct.order_id = planted.key
        join memory.truth.orders as orders using (order_id)
        """,
        [kind],
    )
    assert rows
    assert {shipping for _, shipping, *_ in rows} <= {Decimal("0"), Decimal("4.9")}
    assert all((status == "cancelled") == (fate == "cancelled") for status, _, fate, _ in rows if status != "placed")


@pytest.mark.parametrize("kind", ["order_in_an_unknown_currency", "marketplace_order"])
def test_what_must_not_count_for_a_customer_does_not(shop: KnownShop, kind: str) -> None:
    rows = shop.rows(
        f"select exclusion_reason from ({PLANTED_ORDERS}) as planted "
        "join warehouse.marts.fct_orders as fct on fct.order_id = planted.key",
        [kind],
    )
    assert rows
    reasons = Counter(reason for (reason,) in rows)
    main = {"order_in_an_unknown_currency": "no_exchange_rate", "marketplace_order": "guest_unlinked"}[kind]
    assert None not in reasons
    assert reasons[main] == max(reasons.values())


def test_traders_do_not_count(shop: KnownShop, planted: Counter[str]) -> None:
    rows = shop.rows("select exclusion_reason from warehouse.marts.fct_orders where order_id like '%-trade'")
    assert planted["wholesale_account"] > 0
    reasons = Counter(reason for (reason,) in rows)
    assert None not in reasons
    assert reasons["not_consumer"] == max(reasons.values())


def test_goods_that_were_exchanged_free_of_charge_are_no_purchase(shop: KnownShop, planted: Counter[str]) -> None:
    rows = shop.rows("select exclusion_reason from warehouse.marts.fct_orders where order_id like '%-exchange'")
    assert planted["exchanged_order"] == len(rows) > 0
    assert {reason for (reason,) in rows} == {"zero_value"}


def test_a_cut_line_is_listed_as_unreadable(shop: KnownShop, planted: Counter[str]) -> None:
    [(count,)] = shop.rows(
        "select count(*) from warehouse.quality.quarantined_rows where contains(file, 'customers') "
        "and not starts_with(model, 'stg_')"
    )
    assert count == planted["cut_customer_row"] > 0


def test_accounts_that_lost_nothing_are_exact_to_the_cent(shop: KnownShop) -> None:
    """Repeated, edited, reopened, padded and late-night orders leave no trace in what a customer is worth."""
    columns = "count_orders, count_occasions, total_net, first_order_date, last_order_date"
    moved = moved_accounts(shop)
    said = shop.rows(
        f"select customer_id, {columns} from warehouse.marts.fct_customers "
        "join warehouse.marts.dim_customers using (customer_key) where count_orders > 0 order by 1"
    )
    true = shop.rows(f"select customer_id, {columns} from memory.truth.accounts_at_end order by 1")
    assert 20 < len(moved) < len(true) / 4
    assert [row for row in said if row[0] not in moved] == [row for row in true if row[0] not in moved]
    assert {row[0] for row in said} <= {row[0] for row in true}


@pytest.mark.parametrize("metric", ["repeat_purchase_rate", "purchase_frequency"])
def test_metrics_move_by_the_lost_rows_at_most(shop: KnownShop, metric: str) -> None:
    period = "trailing_window" if metric == "purchase_frequency" else "lifetime"
    [(said, base)], [(true, true_base)] = (
        found.values() for found in (shop.said(metric, period), shop.true(metric, "accounts", period))
    )
    lost = shop.rows(
        "select count(distinct key) from memory.truth.dirt where feed in ('orders', 'refunds', 'order_lines')"
    )
    assert 0 <= true_base - base <= len(moved_accounts(shop))
    assert 0 <= true - said <= lost[0][0]


def test_double_and_earlier_wave_answers_leave_the_score_as_it_is(shop: KnownShop) -> None:
    """Refused scores and anonymous answers move it, each by one customer at most."""
    [(true, base)] = shop.true("nps_of_answers", "relationship", "trailing_window").values()
    [(said, said_base)] = shop.said("nps", "trailing_window").values()
    lossy = "('score_as_text', 'score_off_its_scale', 'anonymous_answer')"
    [(lost,)] = shop.rows(f"select count(distinct key) from memory.truth.dirt where kind in {lossy}")
    assert abs(said_base - base) <= lost
    assert abs(said - true) <= 2 * lost


def test_every_cent_still_arrives_somewhere(shop: KnownShop) -> None:
    assert shop.rows("select bool_and(is_reconciled), count(*) > 5 from warehouse.quality.reconciliation") == [
        (True, True)
    ]
