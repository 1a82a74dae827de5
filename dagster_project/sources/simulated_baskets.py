"""What the simulated shop sells, and what lies in each basket; money in whole cents.

Spending is Gamma-Gamma-like: a customer's Gamma-distributed level moves the price range and the quantities of every
basket, around which baskets vary.

Belongs here: products, lines, amounts. Does not belong here: who comes when (`simulated_people.py`), files
(`simulated.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dagster_project.sources.simulated_people import Ints, People, Visits

KINDS = ("coffee", "tea", "kitchen", "tableware", "home_textiles", "candles", "stationery", "garden")
_KIND_CENTS = np.array([1290, 990, 3490, 2290, 2990, 1490, 790, 1990], dtype=np.int64)
PRODUCTS_PER_KIND = 15
_LAUNCHED_LATER = 2  # of each kind: the dearest, as premium lines are what shops add
_LINES_SHARES = [0.42, 0.27, 0.16, 0.10, 0.05]
_PRICE_RISE = 1.04  # from the middle of the period on


@dataclass(frozen=True)
class Products:
    """One entry per product, by kind and then by price."""

    kind: Ints
    cents: Ints
    cost_cents: Ints
    launch_day: Ints


@dataclass(frozen=True)
class Lines:
    """One entry per order line. `order` counts orders from 0, `number` lines of an order from 1."""

    order: Ints
    number: Ints
    product: Ints
    quantity: Ints
    cents: Ints


@dataclass(frozen=True)
class Amounts:
    """One entry per order. Prices hold the tax; `tax` says how much of the goods' price it is."""

    goods: Ints
    discount: Ints
    shipping: Ints
    tax: Ints


def products(rng: np.random.Generator, days: int) -> Products:
    """Draw the catalogue."""
    count = len(KINDS) * PRODUCTS_PER_KIND
    kind = np.repeat(np.arange(len(KINDS)), PRODUCTS_PER_KIND)
    rank = np.tile(np.arange(PRODUCTS_PER_KIND), len(KINDS))
    cents = _KIND_CENTS[kind] * (50 + 12 * rank + rng.integers(0, 8, count)) // 100 // 10 * 10 + 9
    later = rank >= PRODUCTS_PER_KIND - _LAUNCHED_LATER
    launch = np.where(later, rng.integers(days // 4, days * 3 // 4, count), -rng.integers(30, 900, count))
    return Products(kind=kind, cents=cents, cost_cents=cents * rng.integers(40, 62, count) // 100, launch_day=launch)


def lines(rng: np.random.Generator, catalogue: Products, crowd: People, orders: Visits, days: int) -> Lines:
    """Draw what lies in each basket; a product that is not launched yet gives way to a cheaper one."""
    per_order = rng.choice(5, len(orders.customer), p=_LINES_SHARES) + 1
    order = np.repeat(np.arange(len(per_order)), per_order)
    number = np.arange(len(order)) - np.repeat(np.cumsum(per_order) - per_order, per_order) + 1
    customer = orders.customer[order]
    is_favourite = rng.random(len(order)) < 0.6
    kind = np.where(is_favourite, crowd.favourite_kind[customer], rng.integers(0, len(KINDS), len(order)))
    taste = crowd.spending[customer] / 2.5 + 0.18 * rng.standard_normal(len(order))
    rank = np.clip(np.floor(taste * PRODUCTS_PER_KIND), 0, PRODUCTS_PER_KIND - 1).astype(np.int64)
    product = kind * PRODUCTS_PER_KIND + rank
    day = orders.second[order] // 86_400
    product = np.where(catalogue.launch_day[product] > day, product - _LAUNCHED_LATER, product)
    cents = catalogue.cents[product]
    cents = np.where(day >= days // 2, np.rint(cents * _PRICE_RISE).astype(np.int64), cents)
    quantity = 1 + np.minimum(rng.poisson(0.35 * crowd.spending[customer]), 11)
    return Lines(order=order, number=number, product=product, quantity=quantity, cents=cents)


def amounts(rng: np.random.Generator, basket: Lines, count_orders: int) -> Amounts:
    """Sum the baskets and draw discounts; shipping is free from 50 euros."""
    goods = np.zeros(count_orders, dtype=np.int64)
    np.add.at(goods, basket.order, basket.quantity * basket.cents)
    discount = np.where(rng.random(count_orders) < 0.18, goods // 10, 0)
    shipping = np.where(goods - discount < 5_000, 490, 0)
    return Amounts(goods=goods, discount=discount, shipping=shipping, tax=((goods - discount) * 19 + 59) // 119)
