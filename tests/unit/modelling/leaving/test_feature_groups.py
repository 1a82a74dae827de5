"""Features of other feeds than orders: what they say, and that they say nothing of what came later."""

import datetime as dt
from dataclasses import replace

import duckdb
import pandas as pd
import pytest
from talking_shop import TABLES, empty_marts

from dagster_project.modelling.feature_groups import GROUPS, FeatureGroup, groups_present
from dagster_project.modelling.features import customer_features

EVENING = dt.date(2025, 6, 30)
DAY = dt.timedelta(days=1)
CUSTOMERS = ("A", "B")


def at(days_before: int, hour: int = 12) -> dt.datetime:
    """A UTC instant so many days before the evening."""
    return dt.datetime.combine(EVENING - days_before * DAY, dt.time(hour))


def on(days_before: int) -> dt.date:
    return EVENING - days_before * DAY


ROWS = {
    "fct_orders": [
        ("o1", "A", on(300), 50, None, "web", 2, on(296), 6),
        ("o2", "A", on(20), 70, None, "app", 1, on(9), None),
        ("o3", "B", on(20), 70, None, "app", 1, None, None),
    ],
    "fct_order_lines": [("o1", "tea"), ("o2", "coffee"), ("o3", "tea")],
    "fct_refunds": [("r1", "o1", on(300), 10)],
    "fct_feedback": [
        ("f1", "A", 25.0, at(300), on(300), False),
        ("f2", "A", 100.0, at(10), on(10), True),
        ("f3", "A", None, at(5), on(5), False),
        ("f4", None, 0.0, at(5), on(5), True),
    ],
    "fct_support_contacts": [
        ("s1", "A", on(200), at(199), at(198), 20.0, 2, True),
        ("s2", "A", on(30), at(29), at(0), 30.0, 1, False),
        ("s3", "A", on(3), None, None, None, None, False),
    ],
    "fct_mentions": [("m1", "A", on(40), False), ("m2", "A", on(2), True)],
    "fct_points_ledger": [
        ("p1", "A", "earn", 100, on(400), at(400), False),
        ("p2", "A", "redeem", -40, on(20), at(20), False),
        ("p3", "A", "adjust", 7, on(50), at(0), True),
    ],
    "fct_referrals": [("i1", "A", on(90))],
    "fct_visits": [("v1", "A", on(29), True), ("v2", "A", on(30), False), ("v3", "A", on(0), False)],
    "fct_campaign_messages": [
        ("c1", "A", on(60), at(59), at(58), True),
        ("c2", "A", on(1), at(0), None, True),
        ("c3", "A", on(60), None, None, False),
    ],
}
LATER = {
    "fct_orders": [
        ("o9", "A", on(-3), 999, None, "store", 9, on(-4), 26),
        ("o8", "C", on(-3), 9, None, "store", 9, on(-4), None),
    ],
    "fct_order_lines": [("o9", "candles")],
    "fct_refunds": [("r9", "o2", on(-3), 70)],
    "fct_feedback": [("f9", "A", 0.0, at(-3), on(-3), True)],
    "fct_support_contacts": [("s9", "A", on(-3), at(-4), at(-4), 99.0, 1, True)],
    "fct_mentions": [("m9", "A", on(-3), False)],
    "fct_points_ledger": [
        ("p9", "A", "expire", -60, on(-3), at(-3), False),
        ("p8", "A", "adjust", 500, on(30), at(-9), True),
    ],
    "fct_referrals": [("i9", "A", on(-3))],
    "fct_visits": [("v9", "A", on(-3), True)],
    "fct_campaign_messages": [("c9", "A", on(-3), at(-4), at(-4), True)],
}
"""What happened, or was only written down, after the evening."""
HAPPENED_LATER = {
    "fct_orders": "update marts.fct_orders set days_late = 29 where order_key = 'o2'",
    "fct_support_contacts": (
        "update marts.fct_support_contacts set first_replied_at = $later, first_resolved_at = $later, csat_score = 5, "
        "first_reply_calendar_hours = 900 where contact_key = 's3'"
    ),
    "fct_campaign_messages": (
        "update marts.fct_campaign_messages set clicked_at = $later where message_key in ('c2', 'c3')"
    ),
    "fct_feedback": "update marts.fct_feedback set is_latest = feedback_key = 'f9'",
}
"""What later days wrote into rows of earlier ones."""


def marts_of(*rows_of: dict[str, list[tuple]]) -> duckdb.DuckDBPyConnection:
    connection = empty_marts()
    for rows in rows_of:
        for table, values in rows.items():
            marks = ", ".join("?" * len(TABLES[table].replace("18, 4", "").split(", ")))
            connection.executemany(f"insert into marts.{table} values ({marks})", values)
    return connection


def of(connection: duckdb.DuckDBPyConnection, groups: tuple[FeatureGroup, ...] = GROUPS) -> pd.DataFrame:
    return customer_features(connection, [EVENING], groups=groups).df()


def columns_that_moved(groups: tuple[FeatureGroup, ...]) -> set[str]:
    """Columns of an evening that are not the same once later days are in the warehouse."""
    then, later = marts_of(ROWS), marts_of(ROWS, LATER)
    for change in HAPPENED_LATER.values():
        later.execute(change, {"later": at(-5)} if "$later" in change else None)
    before, after = of(then, groups), of(later, groups)
    assert before["customer_key"].tolist() == after["customer_key"].tolist() == list(CUSTOMERS)
    return {column for column in before if not before[column].equals(after[column])}


def test_one_customer_by_hand():
    first, second = (row for _, row in of(marts_of(ROWS)).iterrows())
    told = {
        "last_days_late": 9, "most_days_late": 9, "count_late_deliveries": 2,
        "last_rating": 100, "mean_rating": 62.5, "days_since_last_rating": 10, "count_low_ratings": 1,
        "count_contacts": 3, "count_complaints": 1, "days_since_last_contact": 3, "days_since_last_complaint": 200,
        "count_unresolved_contacts": 2, "lowest_contact_rating": 2, "longest_wait_hours": 30,
        "count_mentions": 1, "days_since_last_mention": 40,
        "points_balance": 60, "count_point_events": 1, "points_redeemed": 40, "points_expired": 0,
        "days_since_last_point_event": 20, "days_a_member": 400,
        "count_invited": 1, "days_since_last_invitation": 90,
        "days_since_last_visit": 0, "count_visits_30d": 2, "count_visits_90d": 3, "count_baskets_30d": 1,
        "count_messages": 2, "count_messages_opened": 1, "count_messages_clicked": 1,
    }  # fmt: skip
    assert list(told) == [column for group in GROUPS for column in group.columns]
    assert {column: first[column] for column in told} == told
    assert second[list(told)].isna().all(), "of B nothing is known but an order"


def test_features_of_orders_are_the_same_beside_groups():
    alone = of(marts_of(ROWS), ())
    pd.testing.assert_frame_equal(of(marts_of(ROWS))[alone.columns.tolist()], alone)


def test_nothing_later_moves_a_column():
    assert columns_that_moved(GROUPS) == set()


LEAKS = {
    "orders counted to today": (
        "select cutoff_date, customer_key, count(*)::double as leak from marts.fct_orders, spans"
        " where md5(customer_key) <= $last_md5 group by all"
    ),
    "the answer that is the latest today": (
        "select cutoff_date, customer_key, max(score_0_100) as leak from marts.fct_feedback, spans"
        " where is_latest and feedback_date <= cutoff_date and md5(customer_key) <= $last_md5 group by all"
    ),
    "refunds paid later": (
        "select cutoff_date, customer_key, sum(refund_amount)::double as leak from marts.fct_refunds"
        " inner join marts.fct_orders using (order_key), spans"
        " where order_date <= cutoff_date and md5(customer_key) <= $last_md5 group by all"
    ),
    "a rating given when it was resolved": (
        "select cutoff_date, customer_key, min(csat_score)::double as leak from marts.fct_support_contacts, spans"
        " where opened_date <= cutoff_date and contact_key = 's3' and md5(customer_key) <= $last_md5 group by all"
    ),
    "points written down later": (
        "select cutoff_date, customer_key, sum(points)::double as leak from marts.fct_points_ledger, spans"
        " where effective_date <= cutoff_date and md5(customer_key) <= $last_md5 group by all"
    ),
    "days late in the end": (
        "select cutoff_date, customer_key,"
        " max(days_late)::double as leak from marts.fct_orders, spans"
        " where order_date <= cutoff_date and md5(customer_key) <= $last_md5 group by all"
    ),
    "a click that came after": (
        "select cutoff_date, customer_key, count(clicked_at)::double as leak from marts.fct_campaign_messages, spans"
        " where sent_date <= cutoff_date and md5(customer_key) <= $last_md5 group by all"
    ),
}


@pytest.mark.parametrize("sql", LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_caught(sql):
    planted = FeatureGroup("planted", "marts.fct_orders where true", "order_date", ("leak",), sql)
    assert columns_that_moved((planted,)) == {"leak"}


def test_a_group_without_facts_is_left_out():
    assert groups_present(empty_marts(), EVENING) == ()
    assert groups_present(marts_of(ROWS), EVENING) == GROUPS
    assert [group.name for group in groups_present(marts_of(ROWS), on(100))] == [
        "delivery", "feedback", "service", "programme",
    ]  # fmt: skip
    visits = [group for group in GROUPS if group.name == "visits"]
    assert groups_present(marts_of(ROWS), on(30), visits) == tuple(visits)
    assert groups_present(marts_of(ROWS), on(31), [replace(visits[0], name="seen")]) == ()
