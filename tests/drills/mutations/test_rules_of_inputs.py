"""Each rule on coupons, badges and preferences notices what it is there for, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from corner_shop import NIGHT
from rules_in_sql import keeps

from expectations.suite import Rule, load_suites

TABLES = """
create schema marts;
create table marts.fct_orders as from (values
    ('TEA5', true, 10.0), ('TEA5', true, 5.0), ('TEA5', false, 9.0), (null, true, 1.0)
) as rows (coupon_code, is_revenue, net_amount);
create table marts.coupon_use as select
    'TEA5' as coupon_code, date '2025-12-30' as last_order_date, 2 as count_orders, 1 as count_excluded_orders,
    2 as count_customers, 1 as count_first_time_customers, 15.0 as total_net, 2 as count_mature_customers,
    1 as count_returned_customers, 0.5 as returned_share, 0.1 as ci_low, 0.9 as ci_high;
create table marts.fct_badges as from (values
    ('a:1', 'a', 'regular', 1, 1), ('a:2', 'a', 'regular', 2, 2), ('b:1', 'b', 'anniversary', null, 1),
    ('unknown:1', null, 'regular', 1, null), ('unknown:2', null, 'regular', 3, null)
) as rows (badge_key, customer_key, badge_name, badge_level, award_number),
(values (timestamp '2025-12-30 10:00:00', date '2025-12-30')) as times (awarded_at, award_date);
create table marts.dim_products as from (values ('tea'), ('garden'), (null)) as rows (product_kind);
create table marts.dim_customers as select
    number, 'c' || number as customer_key, 1 as count_accounts, 'email' as preferred_contact_channel,
    case when number < 20 then 'Tea' when number < 30 then 'fishing' end as preferred_product_kind
from range(40) as numbers (number);
"""
BROKEN = [
    ("coupon_use", "insert into {} from {}", {"coupon_is_told_once"}),
    ("coupon_use", "delete from {}", {"every_order_with_a_coupon_is_counted_once"}),
    ("coupon_use", "update {} set count_excluded_orders = 0", {"every_order_with_a_coupon_is_counted_once"}),
    ("coupon_use", "update {} set total_net = 14.9", {"every_order_with_a_coupon_is_counted_once"}),
    ("coupon_use", "update {} set count_first_time_customers = 3", {"parts_are_no_more_than_the_whole"}),
    ("coupon_use", "update {} set returned_share = null", {"share_has_a_base_and_lies_in_its_interval"}),
    ("coupon_use", "update {} set returned_share = 0.95", {"share_has_a_base_and_lies_in_its_interval"}),
    ("coupon_use", "update {} set last_order_date = '2025-12-31'", {"nothing_lies_after_the_night"}),
    ("fct_badges", "update {} set badge_key = 'a:1'", {"badge_key_is_unique"}),
    ("fct_badges", "update {} set badge_name = null where customer_key = 'b'", {"badge_and_time_are_present"}),
    ("fct_badges", "update {} set badge_level = 0 where badge_key = 'a:2'", {"a_level_never_falls"}),
    ("fct_badges", "update {} set award_date = '2025-12-31'", {"nothing_lies_after_the_night"}),
    ("dim_customers", "update {} set count_accounts = 0", {"guest_without_an_account_stated_nothing"}),
    ("dim_customers", "update {} set preferred_contact_channel = customer_key", {"stated_channels_are_choices"}),
    ("dim_customers", "update {} set preferred_product_kind = 'fishing' where number < 5", set()),
    (
        "dim_customers",
        "update {} set preferred_product_kind = 'fishing' where number < 6",
        {"most_stated_kinds_are_kinds_that_are_sold"},
    ),
]
OF_PREFERENCES = {
    "guest_without_an_account_stated_nothing", "stated_channels_are_choices",
    "most_stated_kinds_are_kinds_that_are_sold",
}  # fmt: skip
TOLD_TWICE = {
    "columns_agree_with_each_other", "customers_are_known", "days_are_those_of_their_times", "share_is_its_parts",
    "sums_are_those_of_the_orders",
}  # fmt: skip
"""Rules that compare columns with a second telling of them: every column is corrupted in `test_corrupted_tables.py`."""


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        yield connection


def rules_of(table: str) -> list[Rule]:
    [suite] = load_suites("marts", [table])
    if table == "dim_customers":
        return [rule for rule in suite.rules if rule.name in OF_PREFERENCES]
    return [rule for rule in suite.rules if rule.name not in TOLD_TWICE]


@pytest.mark.parametrize("table", ["coupon_use", "fct_badges", "dim_customers"])
def test_rules_hold_where_all_is_well(con: duckdb.DuckDBPyConnection, table: str) -> None:
    assert [rule.name for rule in rules_of(table) if not keeps(con, rule, f"marts.{table}", NIGHT)] == []


@pytest.mark.parametrize(("table", "fault", "noticed"), BROKEN)
def test_a_rule_notices_its_fault(con: duckdb.DuckDBPyConnection, table: str, fault: str, noticed: set[str]) -> None:
    relation = f"marts.{table}"
    con.execute(fault.replace("{}", relation))
    assert {rule.name for rule in rules_of(table) if not keeps(con, rule, relation, NIGHT)} == noticed


def test_every_rule_has_a_fault() -> None:
    names = {rule.name for table in ("coupon_use", "fct_badges", "dim_customers") for rule in rules_of(table)}
    assert set().union(*(noticed for _, _, noticed in BROKEN)) == names
