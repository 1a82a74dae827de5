"""What is known of customers besides their orders: groups of features, one per kind of feed, for many cut-offs at once.

Belongs here: the SQL of each group, grain (cut-off, customer), its columns, and which groups a shop has facts for. Not
here: the orders (`features.py`, which joins the groups), what is learned from columns (`leaving/`).

A group sees what had happened **and was known** by the evening of its cut-off: an answer by its day, a rating of a
contact once the contact was resolved, a point event once it counted and was written down. No column that the marts
compute of their own night (`is_latest`, `is_bad_contact`, `points_balance`, the tier of today) is read: it would tell
the past what came later. Where only a UTC instant says when something became known, it counts from the first UTC
midnight after it, which lies inside the business day of no shop that it would be too early for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

LOOK_BACK_DAYS = 365
"""How far back counts of rare events go: a year, the window of loyalty."""
OPEN_DELIVERY_DAYS = 60
"""How long a promised delivery of which nothing is heard counts as late; after that it may be that nobody told."""


@dataclass(frozen=True)
class FeatureGroup:
    """Features out of one kind of feed.

    Attributes:
        name: as published with what the group adds.
        facts: table of the marts, with the condition under which a row can speak of some customer.
        known_on: the column of that table that says when a row is first seen.
        columns: the features, each null where nothing is known of the customer.
        sql: SELECT of cutoff_date, customer_key and the columns; reads `spans` and `$last_md5`.
    """

    name: str
    facts: str
    known_on: str
    columns: tuple[str, ...]
    sql: str


def _seen(table: str, known_on: str, customer: str = "customer_key") -> str:
    """FROM and WHERE of the rows that each cut-off sees, of the customers that are read."""
    return f"""
        from {table} as facts
        inner join spans on facts.{known_on} <= spans.cutoff_date
        where facts.{customer} is not null and md5(facts.{customer}) <= $last_md5
    """


_DAYS_SINCE = "date_diff('day', facts.{column}, spans.cutoff_date)"
_WITHIN = f"{_DAYS_SINCE} < {{days}}"


def _within(column: str, days: int = LOOK_BACK_DAYS) -> str:
    return _WITHIN.format(column=column, days=days)


def _counted(condition: str) -> str:
    return f"(count(*) filter (where {condition}))::double"


_DELIVERY = f"""
    select cutoff_date, customer_key,
        arg_max(days_late, (order_date, order_key))::double as last_days_late,
        max(days_late)::double as most_days_late,
        (count(*) filter (where days_late >= 2))::double as count_late_deliveries
    from (
        select spans.cutoff_date, facts.customer_key, facts.order_date, facts.order_key,
            greatest(0, least(
                coalesce(facts.days_late, spans.cutoff_date - facts.promised_date),
                spans.cutoff_date - facts.promised_date
            )) as days_late
        {_seen("marts.fct_orders", "order_date")}
            and coalesce(facts.exclusion_reason, 'fully_refunded') = 'fully_refunded'
            and {_within("order_date")}
            and (
                facts.promised_date + facts.days_late::integer <= spans.cutoff_date
                or spans.cutoff_date - facts.promised_date between 1 and {OPEN_DELIVERY_DAYS}
            )
    )
    group by cutoff_date, customer_key
"""
_FEEDBACK = f"""
    select spans.cutoff_date, facts.customer_key,
        arg_max(facts.score_0_100, (facts.submitted_at, facts.feedback_key)) as last_rating,
        -- in thousandths: whole numbers sum to the same in any order
        sum(round(facts.score_0_100 * 1000)::bigint) filter (where {_within("feedback_date")}) / 1000.0
            / nullif(count(*) filter (where {_within("feedback_date")}), 0) as mean_rating,
        min({_DAYS_SINCE.format(column="feedback_date")})::double as days_since_last_rating,
        {_counted(f"facts.score_0_100 <= 50 and {_within('feedback_date')}")} as count_low_ratings
    {_seen("marts.fct_feedback", "feedback_date")} and facts.score_0_100 is not null
    group by spans.cutoff_date, facts.customer_key
"""
_SERVICE = f"""
    select spans.cutoff_date, facts.customer_key,
        {_counted(_within("opened_date"))} as count_contacts,
        {_counted(f"facts.is_complaint and {_within('opened_date')}")} as count_complaints,
        min({_DAYS_SINCE.format(column="opened_date")})::double as days_since_last_contact,
        (min({_DAYS_SINCE.format(column="opened_date")}) filter (where facts.is_complaint))::double
            as days_since_last_complaint,
        {_counted("coalesce(facts.first_resolved_at >= spans.cutoff_date, true)")} as count_unresolved_contacts,
        (min(facts.csat_score) filter (
            where facts.first_resolved_at < spans.cutoff_date and {_within("opened_date")}
        ))::double as lowest_contact_rating,
        (max(facts.first_reply_calendar_hours) filter (
            where facts.first_replied_at < spans.cutoff_date and {_within("opened_date")}
        ))::double as longest_wait_hours
    {_seen("marts.fct_support_contacts", "opened_date")}
    group by spans.cutoff_date, facts.customer_key
"""
_MENTIONS = f"""
    select spans.cutoff_date, facts.customer_key,
        {_counted(_within("mentioned_date"))} as count_mentions,
        min({_DAYS_SINCE.format(column="mentioned_date")})::double as days_since_last_mention
    {_seen("marts.fct_mentions", "mentioned_date")} and not facts.is_repost
    group by spans.cutoff_date, facts.customer_key
"""
_PROGRAMME = f"""
    select spans.cutoff_date, facts.customer_key,
        sum(facts.points)::double as points_balance,
        {_counted(_within("effective_date"))} as count_point_events,
        coalesce(-sum(facts.points) filter (
            where facts.event_kind = 'redeem' and {_within("effective_date")}
        ), 0)::double as points_redeemed,
        coalesce(-sum(facts.points) filter (
            where facts.event_kind = 'expire' and {_within("effective_date")}
        ), 0)::double as points_expired,
        min({_DAYS_SINCE.format(column="effective_date")})::double as days_since_last_point_event,
        max({_DAYS_SINCE.format(column="effective_date")})::double as days_a_member
    {_seen("marts.fct_points_ledger", "effective_date")}
        and (not facts.is_backdated or facts.recorded_at < spans.cutoff_date)
    group by spans.cutoff_date, facts.customer_key
"""
_REFERRALS = f"""
    select spans.cutoff_date, facts.referrer_customer_key as customer_key,
        count(*)::double as count_invited,
        min({_DAYS_SINCE.format(column="invite_date")})::double as days_since_last_invitation
    {_seen("marts.fct_referrals", "invite_date", "referrer_customer_key")}
    group by spans.cutoff_date, facts.referrer_customer_key
"""
_VISITS = f"""
    select spans.cutoff_date, facts.customer_key,
        min({_DAYS_SINCE.format(column="visit_date")})::double as days_since_last_visit,
        {_counted(_within("visit_date", 30))} as count_visits_30d,
        {_counted(_within("visit_date", 90))} as count_visits_90d,
        {_counted(f"facts.has_cart and {_within('visit_date', 30)}")} as count_baskets_30d
    {_seen("marts.fct_visits", "visit_date")}
    group by spans.cutoff_date, facts.customer_key
"""
_MESSAGES = f"""
    select spans.cutoff_date, facts.customer_key,
        {_counted(_within("sent_date"))} as count_messages,
        {_counted(f"facts.opened_at < spans.cutoff_date and {_within('sent_date')}")} as count_messages_opened,
        {_counted(f"facts.clicked_at < spans.cutoff_date and {_within('sent_date')}")} as count_messages_clicked
    {_seen("marts.fct_campaign_messages", "sent_date")} and facts.is_delivered
    group by spans.cutoff_date, facts.customer_key
"""

GROUPS: tuple[FeatureGroup, ...] = (
    FeatureGroup(
        "delivery",
        "marts.fct_orders where customer_key is not null and promised_date is not null",
        "order_date",
        ("last_days_late", "most_days_late", "count_late_deliveries"),
        _DELIVERY,
    ),
    FeatureGroup(
        "feedback",
        "marts.fct_feedback where customer_key is not null and score_0_100 is not null",
        "feedback_date",
        ("last_rating", "mean_rating", "days_since_last_rating", "count_low_ratings"),
        _FEEDBACK,
    ),
    FeatureGroup(
        "service",
        "marts.fct_support_contacts where customer_key is not null",
        "opened_date",
        (
            "count_contacts",
            "count_complaints",
            "days_since_last_contact",
            "days_since_last_complaint",
            "count_unresolved_contacts",
            "lowest_contact_rating",
            "longest_wait_hours",
        ),
        _SERVICE,
    ),
    FeatureGroup(
        "mentions",
        "marts.fct_mentions where customer_key is not null",
        "mentioned_date",
        ("count_mentions", "days_since_last_mention"),
        _MENTIONS,
    ),
    FeatureGroup(
        "programme",
        "marts.fct_points_ledger where customer_key is not null",
        "effective_date",
        (
            "points_balance",
            "count_point_events",
            "points_redeemed",
            "points_expired",
            "days_since_last_point_event",
            "days_a_member",
        ),
        _PROGRAMME,
    ),
    FeatureGroup(
        "referrals",
        "marts.fct_referrals where referrer_customer_key is not null",
        "invite_date",
        ("count_invited", "days_since_last_invitation"),
        _REFERRALS,
    ),
    FeatureGroup(
        "visits",
        "marts.fct_visits where customer_key is not null",
        "visit_date",
        ("days_since_last_visit", "count_visits_30d", "count_visits_90d", "count_baskets_30d"),
        _VISITS,
    ),
    FeatureGroup(
        "messages",
        "marts.fct_campaign_messages where customer_key is not null",
        "sent_date",
        ("count_messages", "count_messages_opened", "count_messages_clicked"),
        _MESSAGES,
    ),
)
"""Every group there is; to add one, add an entry here and the words of its cause in `leaving/reason_words.py`."""


def groups_present(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, groups: Sequence[FeatureGroup] = GROUPS
) -> tuple[FeatureGroup, ...]:
    """The groups that the shop has any fact for by the night; without one a group would be a row of nulls.

    Args:
        connection: a connection that sees the marts.
        as_of: the night.
        groups: those to look for.
    """
    found = "select exists (select 1 from {facts} and {known_on} <= $as_of)"
    return tuple(
        group
        for group in groups
        if connection.execute(found.format(facts=group.facts, known_on=group.known_on), {"as_of": as_of}).fetchall()
        == [(True,)]
    )


def joined(groups: Sequence[FeatureGroup]) -> tuple[str, str, str]:
    """The parts that groups add to a query over `histories`: common table expressions, columns and joins.

    Args:
        groups: in the order of their columns.
    """
    tables = "".join(f",\ngroup_{group.name} as ({group.sql})" for group in groups)
    columns = "".join(f",\n    group_{group.name}.{column}" for group in groups for column in group.columns)
    joins = "".join(
        f"\nleft join group_{group.name} on histories.cutoff_date = group_{group.name}.cutoff_date"
        f" and histories.customer_key = group_{group.name}.customer_key"
        for group in groups
    )
    return tables, columns, joins
