"""What the simulated shop sells, and at what price.

Belongs here: products, their list prices over time. Does not belong here: who buys them (`baskets.py`).

Of each kind there are fifteen pieces at list prices, from basic to premium, the dearest two launched during the
history, and one that is cut, weighed or made to measure: each piece has its own price, so it has no list price. It
lets a basket come to any amount to the cent without an odd price on anything that has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.streams import Bools, Ints, stream

PIECES_PER_KIND = 15
PRODUCTS_PER_KIND = PIECES_PER_KIND + 1
QUALITY_LINES = ("basic", "standard", "premium")
_KIND_CENTS = np.array([790, 690, 1890, 1290, 1690, 890, 490, 1190], dtype=np.int64)
_LAUNCHED_LATER = 2
_MEASURED_NAMES = ("beans, weighed", "leaves, weighed", "boards, cut", "sets, matched", "cloth, cut", "wax, weighed",
                   "paper, cut", "seeds, weighed")  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """One entry per product, by kind and price, the measured piece of a kind last; then the gift card.

    Attributes:
        plan: the shop.
        kind: position in `KINDS`; `len(KINDS)` for the gift card.
        first_cents: list price at launch; 0 where there is none.
        cost_cents: what a piece costs the shop; 0 where that depends on the piece.
        launch_day: from the first day; before it for most.
    """

    plan: ShopPlan
    kind: Ints
    first_cents: Ints
    cost_cents: Ints
    launch_day: Ints

    @cached_property
    def rises(self) -> Bools:
        """Which products become dearer on the plan's day."""
        is_touched = np.isin(self.kind, self.plan.price_rise.kinds) & (self.first_cents > 0)
        return is_touched & (self.plan.price_rise.percent > 0)

    @cached_property
    def risen_cents(self) -> Ints:
        """List prices from the day of the rise on."""
        return np.where(
            self.rises, (self.first_cents * (100 + self.plan.price_rise.percent) + 50) // 100, self.first_cents
        )

    @property
    def gift_card(self) -> int:
        """The gift card's position."""
        return len(self.kind) - 1

    @property
    def rank(self) -> Ints:
        """Position within the kind, by price; `PIECES_PER_KIND` for measured pieces."""
        return np.arange(len(self.kind)) % PRODUCTS_PER_KIND

    @property
    def quality_line(self) -> Ints:
        """Position in `QUALITY_LINES`."""
        return np.where(self.rank < PIECES_PER_KIND, self.rank * len(QUALITY_LINES) // PIECES_PER_KIND, 1)

    @property
    def names(self) -> list[str]:
        """What each product is called."""
        made = [
            f"{kind.replace('_', ' ').title()} " + (f"No. {rank + 1}" if rank < PIECES_PER_KIND else measured)
            for kind, measured in zip(KINDS, _MEASURED_NAMES, strict=True)
            for rank in range(PRODUCTS_PER_KIND)
        ]
        return [*made, "Gift card"]

    def __len__(self) -> int:
        return len(self.kind)


def draw_catalogue(plan: ShopPlan) -> Catalogue:
    """Draw the products of a shop."""
    rng = stream(plan.seed, -1, "catalogue")
    count = len(KINDS) * PRODUCTS_PER_KIND
    kind = np.repeat(np.arange(len(KINDS)), PRODUCTS_PER_KIND)
    rank = np.tile(np.arange(PRODUCTS_PER_KIND), len(KINDS))
    is_piece = rank < PIECES_PER_KIND
    cents = _KIND_CENTS[kind] * (50 + 12 * rank + rng.integers(0, 8, count)) // 100 // 10 * 10 + 9
    later = is_piece & (rank >= PIECES_PER_KIND - _LAUNCHED_LATER)
    launch = np.where(later, rng.integers(plan.days // 4, plan.days * 3 // 4, count), -rng.integers(30, 900, count))
    cost = cents * rng.integers(40, 62, count) // 100
    return Catalogue(
        plan=plan,
        kind=np.append(kind, len(KINDS)),
        first_cents=np.append(np.where(is_piece, cents, 0), 0),
        cost_cents=np.append(np.where(is_piece, cost, 0), 0),
        launch_day=np.append(launch, -900),
    )
