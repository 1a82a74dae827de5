"""What lies in each basket of the simulated shop.

Belongs here: order lines whose prices add up to what the purchase was drawn to cost. Does not belong here: how much
that is (`purchases.py`), the products (`catalogue.py`).

Pieces at list prices come first, one after another as the rest of the amount allows; the last of them in the number
that fits. What is left, less than a piece's price in most baskets, is a measured piece of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.catalogue import PIECES_PER_KIND, PRODUCTS_PER_KIND, Catalogue
from dagster_project.sources.simulated_shop.orders import GIFT_CARD, ZERO_VALUE, Fulfilment
from dagster_project.sources.simulated_shop.people import People
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.purchases import Purchases
from dagster_project.sources.simulated_shop.streams import Floats, Ints, chosen, stream

_LINES_SHARES = (0.2, 0.26, 0.24, 0.18, 0.12)
_FAVOURITE_SHARE = 0.6
_TASTE_WEIGHT = 0.5  # how far a person's level of spending decides between cheap and dear pieces, rather than chance
_MOST_PIECES = 12


@dataclass(frozen=True)
class Lines:
    """One entry per order line, by order and number; shape (k,).

    Attributes:
        order: row in the block's `Purchases`.
        number: of the line in its order, from 1.
        product: position in the catalogue.
        quantity: pieces, from 1.
        unit_cents: price of one piece; 0 in free samples.
    """

    order: Ints
    number: Ints
    product: Ints
    quantity: Ints
    unit_cents: Ints

    def __len__(self) -> int:
        return len(self.order)


def draw_lines(
    plan: ShopPlan, catalogue: Catalogue, people: People, purchases: Purchases, fulfilment: Fulfilment, block: int
) -> Lines:
    """Draw the baskets of a block; quantities times prices add up to `Purchases.goods_cents`, free samples aside."""
    rng = stream(plan.seed, block, "baskets")
    mean_spend = plan.spending.p / people.nu
    taste = (mean_spend / (mean_spend + plan.spending.mean))[purchases.person]
    favourite = people.favourite_kind[purchases.person]
    rest, last_kind = purchases.goods_cents.copy(), favourite.copy()
    is_card = fulfilment.fate == GIFT_CARD
    wanted = np.where(is_card, 0, chosen(rng, _LINES_SHARES, len(purchases)) + 1)
    parts: list[tuple[Ints, ...]] = []
    for step in range(len(_LINES_SHARES)):
        order = np.flatnonzero(wanted > step)
        is_favourite = rng.random(len(order)) < _FAVOURITE_SHARE
        kind = np.where(is_favourite, favourite[order], rng.integers(0, len(KINDS), len(order)))
        product, cents = _piece(rng, catalogue, kind, rest[order], purchases.day[order], taste[order])
        fits = np.minimum(rest[order] // np.maximum(cents, 1), _MOST_PIECES)
        some = 1 + (rng.random(len(order)) < 0.2)
        quantity = np.where(wanted[order] == step + 1, fits, np.minimum(some, fits))
        bought = (product >= 0) & (quantity > 0)
        order, product, quantity, cents = order[bought], product[bought], quantity[bought], cents[bought]
        rest[order] -= quantity * cents
        last_kind[order] = catalogue.kind[product]
        parts.append((order, np.full(len(order), step), product, quantity, cents))
    left = np.flatnonzero(rest > 0)
    measured = np.where(is_card[left], catalogue.gift_card, last_kind[left] * PRODUCTS_PER_KIND + PIECES_PER_KIND)
    ones = np.ones(len(left), dtype=np.int64)
    parts.append((left, np.full(len(left), len(_LINES_SHARES)), measured, ones, rest[left]))
    order, step_of, product, quantity, cents = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    rows = np.lexsort((step_of, order))
    order = order[rows]
    starts = np.searchsorted(order, order)
    return Lines(
        order=order,
        number=np.arange(len(order)) - starts + 1,
        product=product[rows],
        quantity=quantity[rows],
        unit_cents=np.where(fulfilment.fate[order] == ZERO_VALUE, 0, cents[rows]),
    )


def _piece(
    rng: np.random.Generator, catalogue: Catalogue, kind: Ints, rest: Ints, day: Ints, taste: Floats
) -> tuple[Ints, Ints]:
    """A piece of each kind that is launched and not dearer than the rest, and its price; -1 and 0 where none is."""
    shape = (len(KINDS), PRODUCTS_PER_KIND)
    first = catalogue.first_cents[:-1].reshape(shape)[kind, :PIECES_PER_KIND]
    risen = catalogue.risen_cents[:-1].reshape(shape)[kind, :PIECES_PER_KIND]
    price = np.where((day >= catalogue.plan.price_rise_day)[:, None], risen, first)
    is_launched = catalogue.launch_day[:-1].reshape(shape)[kind, :PIECES_PER_KIND] <= day[:, None]
    possible = np.cumsum((price <= rest[:, None]) & is_launched, axis=1)
    count = possible[:, -1]
    level = _TASTE_WEIGHT * taste + (1 - _TASTE_WEIGHT) * rng.random(len(kind))
    rank = np.argmax(possible > np.floor(level * count).astype(np.int64)[:, None], axis=1)
    cents = price[np.arange(len(kind)), rank]
    return np.where(count > 0, kind * PRODUCTS_PER_KIND + rank, -1), np.where(count > 0, cents, 0)
