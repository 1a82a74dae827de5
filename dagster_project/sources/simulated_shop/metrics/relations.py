"""True metrics of referrals, subscriptions and messages.

Belongs here: counts of the clean tables that `../relations` draws. Does not belong here: buying (`purchases.py`), what
a campaign added (`effects.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop.columns import Columns
from dagster_project.sources.simulated_shop.metrics.measure import Measure
from dagster_project.sources.simulated_shop.metrics.sightings import Sightings


def relation_measures(seen: Sightings, feeds: Mapping[str, Columns], truth: Mapping[str, Columns]) -> Iterator[Measure]:
    """Every metric of relations of a block.

    Args:
        seen: the orders that count.
        feeds: the block's clean feeds; of one that is absent nothing is counted.
        truth: its truth.
    """
    if "referrals" in feeds:
        yield from _referrals(seen, feeds["referrals"], truth["referrals"])
    if "subscription_events" in feeds:
        yield _subscriptions(feeds["subscription_events"])
    if "campaign_messages" in feeds:
        yield from _messages(feeds["campaign_messages"])


def _referrals(seen: Sightings, sent: Columns, asked: Columns) -> Iterator[Measure]:
    customers = len(np.unique(seen.owner("persons")))
    is_true = pc.invert(asked["is_self_referral"])
    has_come = pc.and_(is_true, pc.is_valid(sent["converted_at"]))
    for segment, is_own in (
        ("all", is_true),
        ("rewarded", pc.and_(is_true, asked["is_rewarded"])),
        ("unrewarded", pc.and_(is_true, pc.invert(asked["is_rewarded"]))),
    ):
        referrers = len(asked["referrer_person_id"].filter(is_own).unique())
        yield Measure("referral_rate", referrers, customers, "reward", segment)
        yield Measure("referral_conversion", _count(pc.and_(has_come, is_own)), _count(is_own), "reward", segment)


def _subscriptions(events: Columns) -> Measure:
    """Renewals and later starts, by account."""
    table = pa.table({"account": events["customer_id"], "event": events["event"]})
    starts = table.filter(pc.equal(table["event"], "started")).group_by("account").aggregate([("event", "count")])
    again = starts.filter(pc.greater(starts["event_count"], 1))["account"]
    renewed = table.filter(pc.equal(table["event"], "renewed"))["account"]
    returned = len(pc.unique(pa.chunked_array([*again.chunks, *renewed.chunks], pa.string())))
    return Measure("subscription_repurchase_ratio", returned, starts.num_rows)


def _messages(sent: Columns) -> Iterator[Measure]:
    is_delivered = pc.equal(sent["status"], "delivered")
    is_clicked = pc.and_(is_delivered, pc.is_valid(sent["clicked_at"]))
    for segment, is_kind in (("personal", sent["is_personal"]), ("general", pc.invert(sent["is_personal"]))):
        base = _count(pc.and_(is_delivered, is_kind))
        yield Measure("message_response_rate", _count(pc.and_(is_clicked, is_kind)), base, "message", segment)


def _count(flags: pa.Array) -> int:
    return int(pc.sum(flags).as_py() or 0)
