"""One block of a simulated shop, drawn once, with what the topics make of it, for tests of what is planted."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import Block, draw_block
from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.columns import HAPPENED, Drawn
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.topics import BLOCK_TOPICS, SHOP_TOPICS

PLAN = ShopPlan(customers=8_000, days=1_000, last_day=dt.date(2025, 12, 31), seed=11)
SIGMAS = 4.0  # a share this many standard errors off its planted value comes by chance once in 16,000 tests


@cache
def block_of(plan: ShopPlan = PLAN) -> Block:
    """The first block of a plan."""
    return draw_block(Calendar(plan), 0)


@cache
def drawn(topic: str, plan: ShopPlan = PLAN) -> Drawn:
    """What a topic makes of the block, or of the shop."""
    if topic in SHOP_TOPICS:
        return SHOP_TOPICS[topic](Calendar(plan))
    return BLOCK_TOPICS[topic](block_of(plan))


@cache
def feed(name: str, plan: ShopPlan = PLAN) -> pa.Table:
    """A feed, whichever topic fills it."""
    for topic in (*SHOP_TOPICS, *BLOCK_TOPICS):
        columns = drawn(topic, plan).feeds.get(name)
        if columns is not None:
            return pa.table({column: values for column, values in columns.items() if column != HAPPENED})
    raise LookupError(name)


@cache
def truth(name: str, plan: ShopPlan = PLAN) -> pa.Table:
    """A table of the truth."""
    for topic in (*SHOP_TOPICS, *BLOCK_TOPICS):
        columns = drawn(topic, plan).truth.get(name)
        if columns is not None:
            return pa.table(dict(columns))
    raise LookupError(name)


def column(table: pa.Table, name: str) -> np.ndarray:
    """A column in NumPy; nulls of numbers are NaN."""
    return np.asarray(table[name].to_pandas())


def assert_share(happened: np.ndarray, share: Any) -> None:
    """Fail unless as many happened as the share, or each one's own share, lets expect."""
    shares = np.broadcast_to(np.asarray(share, dtype=np.float64), happened.shape)
    sigma = np.sqrt(np.sum(shares * (1 - shares)))
    assert len(happened) > 30, f"{len(happened)} cases prove nothing"
    assert abs(happened.sum() - shares.sum()) <= SIGMAS * sigma, (
        f"{happened.mean():.4f} of {len(happened)} happened, planted {shares.mean():.4f}"
    )


def with_voice(plan: ShopPlan = PLAN, **parts: Any) -> ShopPlan:
    """The plan with other parts of the voice."""
    return replace(plan, voice=replace(plan.voice, **parts))


def with_relations(plan: ShopPlan = PLAN, **parts: Any) -> ShopPlan:
    """The plan with other parts of the relations."""
    return replace(plan, relations=replace(plan.relations, **parts))
