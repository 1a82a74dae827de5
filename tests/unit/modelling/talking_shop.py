"""A shop whose customers also talk: played person by person with known causes of leaving, straight into marts.

What belongs here: the play and its marts. Everybody buys at a rate of their own until they leave after some purchase.
After a badly served purchase they leave more easily, if `bad_service_odds` says so. Service may collapse on one day.
Served badly, some complain. Who is still a customer visits; some answer surveys, at random.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

FIRST_DAY = dt.date(2023, 1, 1)
TABLES = {
    "fct_orders": (
        "order_key varchar, customer_key varchar, order_date date, gross_amount decimal(18, 4), "
        "exclusion_reason varchar, channel varchar, count_units bigint, promised_date date, "
        "days_late bigint"
    ),
    "fct_order_lines": "order_key varchar, product_kind varchar",
    "fct_refunds": "refund_key varchar, order_key varchar, refund_date date, refund_amount decimal(18, 4)",
    "fct_feedback": (
        "feedback_key varchar, customer_key varchar, score_0_100 double, submitted_at timestamp, feedback_date date, "
        "is_latest boolean"
    ),
    "fct_support_contacts": (
        "contact_key varchar, customer_key varchar, opened_date date, first_replied_at timestamp, "
        "first_resolved_at timestamp, first_reply_calendar_hours double, csat_score bigint, is_complaint boolean"
    ),
    "fct_mentions": "mention_key varchar, customer_key varchar, mentioned_date date, is_repost boolean",
    "fct_points_ledger": (
        "point_event_key varchar, customer_key varchar, event_kind varchar, points bigint, effective_date date, "
        "recorded_at timestamp, is_backdated boolean"
    ),
    "fct_referrals": "referral_key varchar, referrer_customer_key varchar, invite_date date",
    "fct_visits": "visit_key varchar, customer_key varchar, visit_date date, has_cart boolean",
    "fct_campaign_messages": (
        "message_key varchar, customer_key varchar, sent_date date, opened_at timestamp, clicked_at timestamp, "
        "is_delivered boolean"
    ),
}
"""The columns of the marts that the features read."""


def empty_marts() -> duckdb.DuckDBPyConnection:
    """Marts of a shop in which nothing has happened."""
    connection = duckdb.connect()
    connection.execute("create schema marts")
    for table, columns in TABLES.items():
        connection.execute(f"create table marts.{table} ({columns})")
    return connection


@dataclass(frozen=True)
class Played:
    """What was played.

    Attributes:
        orders: customer, day, is_bad, in order of customer and day.
        left_day: of each customer, infinite where they stay.
        rate: orders a day of each customer.
    """

    orders: pd.DataFrame
    left_day: np.ndarray
    rate: np.ndarray


@dataclass(frozen=True)
class Service:
    """How many purchases are badly served.

    Attributes:
        bad_share: before the collapse.
        collapse_day: from when on it is another share; infinite for never.
        bad_share_after: from that day on.
    """

    bad_share: float = 0.2
    collapse_day: float = np.inf
    bad_share_after: float = 0.2


def play(customers: int, days: int, seed: int, bad_service_odds: float, service: Service | None = None) -> Played:
    """Everybody's purchases.

    Args:
        customers: how many, who come evenly over the first nine tenths of the days.
        days: how long.
        seed: of the chance.
        bad_service_odds: factor of the odds to leave after a badly served purchase; 1 is no effect.
        service: how many are badly served, and when; one in five where absent.
    """
    service = service or Service()
    rng = np.random.default_rng(seed)
    rate = rng.gamma(3.0, 1 / 90.0, customers)
    leaving = rng.beta(2.0, 14.0, customers)
    clock = np.sort(rng.random(customers)) * days * 0.9
    left, going, found = np.full(customers, np.inf), np.arange(customers), []
    while going.size:
        has_collapsed = clock[going] >= service.collapse_day
        is_bad = rng.random(going.size) < np.where(has_collapsed, service.bad_share_after, service.bad_share)
        found.append(pd.DataFrame({"customer": going, "day": clock[going].astype(int), "is_bad": is_bad}))
        odds = leaving[going] / (1 - leaving[going]) * np.where(is_bad, bad_service_odds, 1.0)
        leaves = rng.random(going.size) < odds / (1 + odds)
        left[going[leaves]] = clock[going[leaves]]
        going = going[~leaves]
        clock[going] += rng.exponential(1, going.size) / rate[going]
        going = going[clock[going] < days]
    return Played(pd.concat(found).sort_values(["customer", "day"], ignore_index=True), left, rate)


def talking_shop(played: Played, days: int, seed: int) -> duckdb.DuckDBPyConnection:
    """Marts of what was played, with complaints about nine in ten bad purchases, visits and answers."""
    rng, connection = np.random.default_rng(seed + 1), empty_marts()
    orders = played.orders.assign(key=played.orders.index.astype(str))
    bad = orders[orders["is_bad"] & (rng.random(len(orders)) < 0.9)]
    asked = orders[rng.random(len(orders)) < 0.2]
    customer = np.repeat(np.arange(played.rate.size), 12)
    visited = rng.random(customer.size) * days
    first = orders.groupby("customer")["day"].min().to_numpy()
    is_there = (visited >= first[customer]) & (visited < played.left_day[customer])
    visits = pd.DataFrame({"customer": customer[is_there], "day": visited[is_there].astype(int)})
    asked = asked.assign(score=rng.integers(0, 5, len(asked)) * 25.0)
    for name, frame in {"orders": orders, "bad": bad, "asked": asked, "visits": visits}.items():
        connection.register(name, frame)
    start, key = f"date '{FIRST_DAY}'", "'c' || lpad(customer::varchar, 5, '0')"
    connection.execute(f"""
        insert into marts.fct_orders
            select key, {key}, {start} + day::integer, 10 + hash(key) % 40, null, 'web', 1,
                null, null
            from orders;
        insert into marts.fct_order_lines select key, 'tea' from orders;
        insert into marts.fct_support_contacts
            select key, {key}, {start} + day::integer + 2, {start} + day::integer + 3, {start} + day::integer + 4,
                24, 3, true
            from bad where day < {days} - 2;
        insert into marts.fct_feedback
            select key, {key}, score, {start} + day::integer + 5, {start} + day::integer + 5, true
            from asked where day < {days} - 5;
        insert into marts.fct_visits
            select row_number() over (order by customer, day), {key}, {start} + day::integer, false from visits;
    """)
    return connection
