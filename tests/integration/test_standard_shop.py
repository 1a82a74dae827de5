"""The corner shop's rows under the standard names, without any SQL of its own, against the shop's published night.

It has no feed of contacts, reviews and mentions, and a file of answers without a row: what rests on them is unknown.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from corner_shop import CornerShop

from dagster_project.sources.configured import source_tables
from dagster_project.sources.raw_views import raw_select_sql
from dagster_project.standard.tables import standard_tables

FILES: dict[str, str] = {
    "customers": "select customer_id, created_at, country as country_code, acquisition_channel, customer_type "
    "from customers",
    "products": "select product_id, product_name, product_kind, quality_line, "
    "list_position(['basic', 'standard', 'premium'], quality_line) as quality_rank, launched_on as launch_date, "
    "unit_cost from products",
    "product_prices": "select product_id, valid_from as valid_from_date, list_price from product_prices",
    "orders": "select * exclude (status, currency), status as order_status, currency as currency_code from orders",
    "order_lines": "select order_id, line_number, product_id, quantity, unit_price from order_lines",
    "refunds": "select refund_id, order_id, refunded_at, refund_amount, reason as refund_reason from refunds",
    "exchange_rates": "select rate_date, currency as currency_code, rate as exchange_rate from exchange_rates",
    "survey_invitations": "select invitation_id, customer_id, order_id, survey, wave, channel, sent_at, "
    "status as invitation_status from survey_invitations",
    "support_contacts": "select contact_id, customer_id, order_id, channel, kind as contact_kind, topic, severity, "
    "language as language_code, csat_score, message is not null as has_text, opened_at from support_contacts",
    "support_events": "select contact_id, event_number, event as event_kind, happened_at from support_events",
    "point_events": "select event_id, event_number, customer_id, event as event_kind, points, order_id, effective_at, "
    "recorded_at, expires_on as expiry_date from points_ledger",
    "tier_changes": "select customer_id, tier, valid_from as changed_at, reason as change_reason from tier_changes",
    "badges": "select customer_id, badge as badge_name, level as badge_level, awarded_at from badges",
    "referrals": "select * from referrals",
    "campaigns": "select campaign_id, campaign_name, purpose, starts_on as start_date, ends_on as end_date, "
    "holdout_share from campaigns",
    "campaign_messages": "select message_id, campaign_id, customer_id, arm = 'holdout' as is_holdout, is_personal, "
    "channel, sent_at, status as delivery_status, opened_at, clicked_at from campaign_messages",
    "subscription_events": "select subscription_id, event_number, customer_id, plan as plan_name, event as event_kind, "
    "happened_at, period_end as period_end_date, amount, is_auto, reason from subscription_events",
    "visits": "select visit_id, customer_id, device, channel, started_at, count_pages, has_cart from visits",
    "costs": "select cost_date, purpose, nullif(channel, 'all') as channel, campaign_id, amount as cost_amount, "
    "currency as currency_code from marketing_costs",
}
"""What the shop sends, as it was landed, under the standard names."""
ABSENT = ("contacts", "mentions")
EMPTY = "feedback"
COMPARED = {
    "fct_orders": "order_id, ordered_at, order_date, order_status, coupon_code, currency_code, "
    "gross_amount, net_amount",
    "fct_order_lines": "order_date, line_number, line_kind, product_kind, quantity",
    "fct_refunds": "refund_id, refunded_at, refund_amount, refund_reason, is_linked",
    "dim_products": "product_id, product_kind, quality_line, quality_rank, launch_date",
    "fct_points_ledger": "event_id, event_kind, points, effective_at",
    "fct_badges": "badge_name, badge_level, awarded_at, award_date",
    "fct_support_contacts": "contact_id, contact_kind, severity, opened_at",
    "fct_subscriptions": "subscription_id, ended_date, end_reason, count_renewals",
    "fct_campaign_messages": "message_id, is_holdout, delivery_status, opened_at",
    "fct_referrals": "referral_id, invited_at, converted_at",
    "fct_visits": "visit_id, started_at",
    "fct_costs": "cost_date, cost_kind, channel, original_cost_amount, original_currency_code",
}


@pytest.fixture(scope="module")
def standard_shop(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> CornerShop:
    """The shop after a night on its files under standard names."""
    shop = CornerShop(tmp_path_factory.mktemp("standard") / "shop")
    shop.deliveries.mkdir(parents=True)
    with duckdb.connect() as con:
        for table in source_tables(published_shop.settings()):
            con.execute(f"create view {table.table} as {raw_select_sql(table, published_shop.home / 'landing')}")
        for name, query in FILES.items():
            target = shop.deliveries / f"{name}.csv"
            con.execute(f"copy (select columns('^[^_]') from ({query})) to '{target}' (header)")
    header = ",".join(standard_tables()[EMPTY].columns)
    (shop.deliveries / f"{EMPTY}.csv").write_text(f"{header}\n", encoding="utf-8")

    def as_standard(settings: dict[str, Any]) -> None:
        settings["sources"] = {
            "shop": {
                "is_standard": True,
                "folder": str(shop.deliveries),
                "tables": {name: {"is_optional": name != "orders"} for name in (*FILES, *ABSENT, EMPTY)},
            }
        }

    shop.configure(as_standard)
    shop.run()
    return shop


@pytest.mark.parametrize("table", COMPARED)
def test_marts_hold_the_same_rows(table: str, published_shop: CornerShop, standard_shop: CornerShop) -> None:
    query = f"select {COMPARED[table]} from marts.{table} order by all"
    expected = published_shop.query(query)
    assert expected
    assert standard_shop.query(query) == expected


def test_what_rests_on_a_feed_without_rows_is_unknown(standard_shop: CornerShop) -> None:
    for mart in ("fct_feedback", "fct_mentions"):
        assert standard_shop.query(f"select count(*) from marts.{mart}") == [(0,)]
    nps = "select count(*) > 0, count(metric_value) from marts.loyalty_metrics where metric = 'nps'"
    assert standard_shop.query(nps) == [(True, 0)]
    assert standard_shop.query("select bool_and(is_reconciled) from quality.reconciliation") == [(True,)]
