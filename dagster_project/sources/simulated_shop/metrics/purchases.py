"""True metrics of buying, counted from what was drawn.

Belongs here: repeat, retention, frequency, order value, kinds, price, new products. Does not belong here: planted
effects (`effects.py`), answers (`voice.py`), and any SQL of the warehouse: it is measured against these counts.

A purchase occasion is a day on which an owner has an order that counts. Each metric is counted twice: for the real
persons behind all accounts and guest orders, and for accounts, which is what a shop sees that resolves no identities.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.metrics.definitions import (
    ADOPTION_DAYS,
    GRACE_DAYS,
    LOYAL_GAP_FACTOR,
    LOYAL_OCCASIONS,
    REPEAT_WINDOW_DAYS,
    WINDOW_DAYS,
)
from dagster_project.sources.simulated_shop.metrics.measure import Measure
from dagster_project.sources.simulated_shop.metrics.sightings import NOBODY, OWNERS, Period, Sightings, periods
from dagster_project.sources.simulated_shop.sales import product_ids
from dagster_project.sources.simulated_shop.streams import Bools, Ints


@dataclass(frozen=True)
class _Occasions:
    """Each owner's purchase occasions, by owner and day; shape (o,). `number` counts an owner's from 1."""

    owner: Ints
    day: Ints
    number: Ints

    @property
    def is_first(self) -> Bools:
        return self.number == 1

    @property
    def is_last(self) -> Bools:
        return np.append(self.owner[1:] != self.owner[:-1], True)[: len(self.owner)]


def purchase_measures(seen: Sightings) -> Iterator[Measure]:
    """Every metric of buying of a block."""
    yield from _order_values(seen)
    for kind in OWNERS:
        owner = seen.owner(kind)
        known, owner = seen.take(owner != NOBODY), owner[owner != NOBODY]
        made = _occasions(owner, known.day)
        for measure in (
            *_repeats(made, seen.end_day),
            *_recent(made, seen.end_day),
            *_retention(made, periods(seen.block)),
            *_kinds(known, owner),
            *_repeat_orders(known, owner, made),
            *_adoptions(known, owner, made),
        ):
            yield Measure(
                measure.metric,
                measure.numerator,
                measure.denominator,
                f"owner{measure.segment_type.removeprefix('all')}",
                f"{kind}{measure.segment.removeprefix('all')}",
                measure.period_type,
                measure.period_start,
            )


def _occasions(owner: Ints, day: Ints) -> _Occasions:
    order = np.lexsort((day, owner))
    owner, day = owner[order], day[order]
    is_new = np.append(True, (np.diff(owner) != 0) | (np.diff(day) != 0))[: len(owner)]
    owner, day = owner[is_new], day[is_new]
    starts = np.searchsorted(owner, owner)
    return _Occasions(owner, day, np.arange(len(owner)) - starts + 1)


def _order_values(seen: Sightings) -> Iterator[Measure]:
    spans: list[tuple[str, dt.date | None, int, int]] = [("lifetime", None, 0, seen.end_day)]
    spans += [(period.period_type, period.start, period.first, period.after) for period in periods(seen.block)]
    for currency in dict.fromkeys(seen.currency):
        is_own = np.array([found == currency for found in seen.currency])[seen.country]
        for period_type, start, first, after in spans:
            inside = is_own & (seen.day >= first) & (seen.day < after)
            yield Measure(
                "average_order_value",
                int(seen.net_cents[inside].sum()),
                int(inside.sum()),
                "currency",
                currency,
                period_type,
                start,
            )


def _repeats(made: _Occasions, end_day: int) -> Iterator[Measure]:
    first = made.day[made.is_first]
    is_second = made.number == 2
    second = np.full(len(first), np.iinfo(np.int64).max)
    second[np.searchsorted(made.owner[made.is_first], made.owner[is_second])] = made.day[is_second]
    yield Measure("repeat_purchase_rate", int(is_second.sum()), len(first))
    is_over = end_day - 1 - first > REPEAT_WINDOW_DAYS + GRACE_DAYS
    is_back = is_over & (second <= first + REPEAT_WINDOW_DAYS)
    yield Measure("repeat_purchase_rate_within_window", int(is_back.sum()), int(is_over.sum()))


def _recent(made: _Occasions, end_day: int) -> Iterator[Measure]:
    recent = made.day >= end_day - WINDOW_DAYS
    active, counts = np.unique(made.owner[recent], return_counts=True)
    yield Measure("purchase_frequency", int(recent.sum()), len(active), period_type="trailing_window")
    owners = made.owner[made.is_last]
    waits = end_day - 1 - made.day[made.is_last]
    median = _median_gaps(made)
    is_often = np.zeros(len(owners), dtype=bool)
    is_often[np.searchsorted(owners, active[counts >= LOYAL_OCCASIONS])] = True
    is_loyal = is_often & (waits <= LOYAL_GAP_FACTOR * median)
    yield Measure("loyal_share", int(is_loyal.sum()), len(active), period_type="trailing_window")


def _median_gaps(made: _Occasions) -> np.ndarray:
    """Each owner's median gap between occasions, in days; NaN without a gap."""
    is_gap = ~made.is_first
    gap = np.diff(made.day, prepend=0)[is_gap]
    owner = made.owner[is_gap]
    order = np.lexsort((gap, owner))
    gap, owner = gap[order], owner[order]
    owners = made.owner[made.is_last]
    start, after = np.searchsorted(owner, owners), np.searchsorted(owner, owners, side="right")
    count, median = after - start, np.full(len(owners), np.nan)
    has = count > 0
    low, high = start[has] + (count[has] - 1) // 2, start[has] + count[has] // 2
    median[has] = (gap[low] + gap[high]) / 2
    return median


def _retention(made: _Occasions, spans: list[Period]) -> Iterator[Measure]:
    owners = np.unique(made.owner)
    first = made.day[made.is_first]
    for period_type in ("month", "quarter"):
        before: Bools | None = None
        for period in [span for span in spans if span.period_type == period_type]:
            inside = (made.day >= period.first) & (made.day < period.after)
            active = np.zeros(len(owners), dtype=bool)
            active[np.searchsorted(owners, made.owner[inside])] = True
            if before is not None:
                base, stayed = int(before.sum()), int((before & active).sum())
                returned = int((active & (first < period.first)).sum())
                for metric, numerator in (
                    ("retention_rate", stayed),
                    ("retention_rate_classic", returned),
                    ("churn_rate", base - stayed),
                ):
                    yield Measure(metric, numerator, base, period_type=period_type, period_start=period.start)
            before = active


def _kinds(seen: Sightings, owner: Ints) -> Iterator[Measure]:
    lines, count = seen.block.lines, len(seen.block.purchases)
    owner_of = np.full(count, NOBODY)
    owner_of[seen.row] = owner
    buyer, kind = owner_of[lines.order], seen.block.catalogue.kind[lines.product]
    pairs = np.unique(np.stack([buyer, kind])[:, (buyer != NOBODY) & (kind < len(KINDS))], axis=1)
    _, kinds = np.unique(pairs[0], return_counts=True)
    several, one = int((kinds >= 2).sum()), int((kinds == 1).sum())
    yield Measure("multi_kind_share", several, several + one)
    yield Measure("upsell_ratio", several, one)


def _repeat_orders(seen: Sightings, owner: Ints, made: _Occasions) -> Iterator[Measure]:
    first_day = made.day[made.is_first][np.searchsorted(made.owner[made.is_first], owner)]
    is_repeat = seen.day > first_day
    net_cents = seen.net_cents * np.array([found == seen.currency[0] for found in seen.currency])[seen.country]
    yield Measure("repeat_revenue_share", int(net_cents[is_repeat].sum()), int(net_cents.sum()))
    bought = seen.block.purchases
    is_full_price = ~(bought.is_promoted | bought.has_coupon)[seen.row]
    yield Measure("full_price_share_of_repeats", int((is_repeat & is_full_price).sum()), int(is_repeat.sum()))


def _adoptions(seen: Sightings, owner: Ints, made: _Occasions) -> Iterator[Measure]:
    catalogue, lines = seen.block.catalogue, seen.block.lines
    owner_of = np.full(len(seen.block.purchases), NOBODY)
    owner_of[seen.row] = owner
    buyer, day = owner_of[lines.order], seen.block.purchases.day[lines.order]
    launched = np.flatnonzero((catalogue.launch_day > 0) & (catalogue.launch_day + ADOPTION_DAYS <= seen.end_day))
    names = product_ids(launched).to_pylist()
    for product, name in zip(launched.tolist(), names, strict=True):
        launch = int(catalogue.launch_day[product])
        is_early = (lines.product == product) & (buyer != NOBODY) & (day < launch + ADOPTION_DAYS)
        before = (made.day < launch) & (made.day >= launch - WINDOW_DAYS)
        yield Measure(
            "new_product_adoption",
            len(np.unique(buyer[is_early])),
            len(np.unique(made.owner[before])),
            "all, product",
            f"all, {name}",
        )
