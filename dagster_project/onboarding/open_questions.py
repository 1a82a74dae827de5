"""What a person should look at of a shop that was guessed.

Belongs here: the clauses, and the guesses that only they and the settings need. Does not belong here: doubts of single
columns (`guessing.py`), where the clauses are shown (`scaffold.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dagster_project.onboarding.declared_feeds import has_positive_points, identifiers_of
from dagster_project.onboarding.guessing import doubts
from dagster_project.onboarding.shop import HOSTILE, FeedPlan
from dagster_project.onboarding.vocabulary import likeness, vocabulary


def doubts_of(feeds: Mapping[str, FeedPlan], time_zone: str, currency: str) -> Iterable[str]:
    """What is to be looked at, a clause each.

    Args:
        feeds: of the shop, by name.
        time_zone: of its business day.
        currency: of its reports.
    """
    yield f"times without an offset were taken for wall times of {time_zone}: set `business.time_zone`"
    orders = feeds.get("orders") or feeds["sales_lines"]
    if "currency_code" not in orders.columns:
        yield f"orders name no currency; {currency} was taken"
    if orders.table == "orders" and orders.guess.matches["customer_id"].column.is_unique:
        sent = orders.columns["customer_id"].sent
        yield f"each order has a `{sent}` of its own, so nobody would ever come back: is another column the customer?"
    if "order_status" not in orders.columns:
        yield "orders name no status; each was taken for delivered"
    for feed in feeds.values():
        yield from (f"{feed.table}: {doubt}" for doubt in doubts(feed.guess))
        if identifiers := identifiers_of(feed):
            yield f"{feed.table}: stored as keyed hashes: {', '.join(identifiers)}; are there more direct identifiers?"
        if has_positive_points(feed):
            yield "point_events: no points are below zero, so what redeems or expires was taken as less"
        if feed.table == "exchange_rates":
            yield f"exchange_rates: a rate was taken for what one unit of its currency is worth in {currency}"
        if cursor := cursor_of(feed):
            yield f"{feed.table}: changed rows are asked for by `{cursor}`; does it grow with every change of a row?"
        for role, codes in feed.unknown_codes.items():
            yield f"{feed.table}: {role} has codes that no model knows: {', '.join(codes)}; map them in its model"
        hostile = [column.name for column in feed.guess.profile.columns if HOSTILE.search(column.name)]
        if hostile:
            yield f"{feed.table}: columns whose names hold quotes, braces or marks are not read: {', '.join(hostile)}"
        yield from (
            f"feedback: question {question.code} was taken for {question.instrument}, "
            f"scale {question.scale[0]} to {question.scale[1]}"
            for question in feed.questions
        )


def cursor_of(feed: FeedPlan) -> str | None:
    """The column that grows when a row changes, where the table's system can be asked by it."""
    names = vocabulary()["orders"].roles["updated_at"].names
    found = (column.name for column in feed.guess.profile.columns if likeness(column.name, names) == 1)
    return next((name for name in found if feed.guess.profile.sample.can_follow(name)), None)
