"""What holds of every feed of the simulated shop, whichever topic fills it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from drawn_shop import PLAN, drawn, feed, truth

from dagster_project.sources.simulated_shop.blocks import draw_block
from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.columns import HAPPENED
from dagster_project.sources.simulated_shop.feeds import FEEDS
from dagster_project.sources.simulated_shop.plan import ShopPlan, plain_plan
from dagster_project.sources.simulated_shop.topics import BLOCK_TOPICS, SHOP_TOPICS

CUT = replace(PLAN, observed_days=700)
CHANGING = {  # columns that say how things stood at the end, by feed
    "orders": {"status", "payment_status", "delivered_at", "updated_at"},
    "contacts": {"loyalty_card", "updated_at"},
    "reviews": {"stars", "review_text", "updated_at"},
    "support_contacts": {"csat_score"},
    "referrals": {"referred_customer_id", "order_id", "converted_at", "reward_amount", "updated_at"},
    "campaign_messages": {"opened_at", "clicked_at"},
}
BLOCK_FEEDS = sorted({name for topic in BLOCK_TOPICS for name in drawn(topic).feeds})
SHOP_FEEDS = sorted({name for topic in SHOP_TOPICS for name in drawn(topic).feeds})
KNOWN = {
    "customer_id": ("customers", "customer_id"),
    "referrer_customer_id": ("customers", "customer_id"),
    "referred_customer_id": ("customers", "customer_id"),
    "order_id": ("orders", "order_id"),
    "invitation_id": ("survey_invitations", "invitation_id"),
    "contact_id": ("support_contacts", "contact_id"),
    "campaign_id": ("campaigns", "campaign_id"),
    "question": ("survey_questions", "question"),
    "product_id": ("products", "product_id"),
}


def keys(table: pa.Table, name: str) -> list[tuple[object, ...]]:
    return list(zip(*(table[column].to_pylist() for column in FEEDS[name].key), strict=True))


def test_every_feed_is_filled() -> None:
    assert {*BLOCK_FEEDS, *SHOP_FEEDS} == set(FEEDS)


@pytest.mark.parametrize("name", [*BLOCK_FEEDS, *SHOP_FEEDS])
def test_columns_are_those_of_the_feed_and_its_key_is_unique(name: str) -> None:
    table = feed(name)
    assert tuple(table.column_names) == FEEDS[name].columns
    assert table.num_rows > 0
    assert len(set(keys(table, name))) == table.num_rows
    for part in FEEDS[name].key:
        assert name == "marketing_costs" or table[part].null_count == 0


@pytest.mark.parametrize("name", BLOCK_FEEDS)
def test_ids_are_those_of_what_they_refer_to(name: str) -> None:
    table = feed(name)
    for column, (referred, its_column) in KNOWN.items():
        if column in table.column_names:
            found = set(table[column].drop_null().to_pylist())
            assert found <= set(feed(referred)[its_column].to_pylist()), column


@pytest.mark.parametrize("name", BLOCK_FEEDS)
def test_nothing_is_of_a_time_after_the_end(name: str) -> None:
    table, end = feed(name), dt.datetime.combine(PLAN.last_day + dt.timedelta(days=1), dt.time())
    for field in table.schema:
        if pa.types.is_timestamp(field.type):
            latest = pc.max(table[field.name]).as_py()
            assert latest is None or latest < end, field.name


@pytest.mark.parametrize("name", BLOCK_FEEDS)
def test_a_shop_seen_earlier_is_the_beginning_of_the_same_shop(name: str) -> None:
    """Rows of the earlier end are all there later, unchanged where they do not say how things stand."""
    early, late = feed(name, CUT), feed(name)
    later = {key: row for row, key in enumerate(keys(late, name))}
    rows = [later[key] for key in keys(early, name)]
    stays = [column for column in early.column_names if column not in CHANGING.get(name, set())]
    assert early.select(stays).equals(late.take(pa.array(rows)).select(stays))
    happened_at = FEEDS[name].happened_at
    if happened_at is not None:
        cut = np.datetime64(PLAN.last_day) + 1 - (PLAN.days - CUT.end_day)
        moments = np.asarray(late["recorded_at" if name == "points_ledger" else happened_at].to_pandas())
        assert (moments.astype("datetime64[us]") < cut).sum() == early.num_rows


def test_another_seed_is_another_shop_and_the_same_seed_the_same() -> None:
    other, afresh = replace(PLAN, seed=12), draw_block(Calendar(PLAN), 0)
    for topic in BLOCK_TOPICS:
        again = BLOCK_TOPICS[topic](afresh)
        for name, columns in drawn(topic).feeds.items():
            assert pa.table(dict(columns)).equals(pa.table(dict(again.feeds[name]))), name
            assert not pa.table(dict(columns)).equals(pa.table(dict(drawn(topic, other).feeds[name]))), name


def shares_set(part: Any, share: float, kept: set[str]) -> Any:
    """A part of a plan in which every share, in its own parts too, is the same."""
    changed = {}
    for field in dataclasses.fields(part):
        planned = getattr(part, field.name)
        if dataclasses.is_dataclass(planned):
            changed[field.name] = shares_set(planned, share, kept)
        elif field.name.endswith("_share") and field.name not in kept:
            changed[field.name] = share
    return replace(part, **changed)


def extreme(share: float, kept: set[str]) -> ShopPlan:
    small = ShopPlan(customers=200, days=200)
    return replace(
        small, voice=shares_set(small.voice, share, kept), relations=shares_set(small.relations, share, kept)
    )


EXTREMES = {
    "nothing happens": extreme(0.0, {"converted_share", "clicked_share", "opened_share"}),
    "everything happens": extreme(1.0, {"clicked_share", "bot_share", "bounced_share", "skipped_item_share"}),
    "textbook": plain_plan(customers=100, days=90),
    "just opened": ShopPlan(customers=100, days=200, observed_days=30),
    "one channel": replace(
        ShopPlan(customers=100, days=200), channels=(("search", 1.0),), countries=(("DE", "EUR", 1.0),)
    ),
}
OF_SHARES = (
    "survey_invitations",
    "survey_answers",
    "reviews",
    "social_mentions",
    "support_contacts",
    "subscription_events",
)


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("topic", [*BLOCK_TOPICS, *SHOP_TOPICS])
def test_extreme_shops_are_drawn_too(name: str, topic: str) -> None:
    made = drawn(topic, EXTREMES[name])
    for table, columns in made.feeds.items():
        assert tuple(column for column in columns if column != HAPPENED) == FEEDS[table].columns
        assert {field.type for field in pa.table(dict(columns)).schema} == {
            field.type for field in pa.table(dict(drawn(topic).feeds[table])).schema
        }


@pytest.mark.parametrize("name", OF_SHARES)
def test_shares_of_nothing_leave_a_feed_empty(name: str) -> None:
    assert feed(name, EXTREMES["nothing happens"]).num_rows == 0
    assert feed(name, EXTREMES["everything happens"]).num_rows > 30


@pytest.mark.parametrize(
    ("table", "id_column", "named"),
    [
        ("texts_of_answers", "answer_id", "survey_answers"),
        ("texts_of_reviews", "review_id", "reviews"),
        ("texts_of_mentions", "mention_id", "social_mentions"),
        ("texts_of_contacts", "contact_id", "support_contacts"),
    ],
)
def test_every_text_has_its_meaning_in_the_truth(table: str, id_column: str, named: str) -> None:
    words = {"survey_answers": "comment", "reviews": "review_text", "social_mentions": "text"}.get(named, "message")
    said = feed(named).filter(pc.is_valid(feed(named)[words]))
    assert said[id_column].to_pylist() == truth(table)[id_column].to_pylist()
