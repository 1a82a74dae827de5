"""What the shop's own system exports of its sales: accounts, orders, lines, refunds, products, prices, exchange rates.

Belongs here: the drawn sales as columns of feeds, as they stand at the observed end. Does not belong here: the truth
about them (`truth.py`), faults (`dirt`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop import columns as col
from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.catalogue import PIECES_PER_KIND, QUALITY_LINES, draw_catalogue
from dagster_project.sources.simulated_shop.columns import Columns, Drawn
from dagster_project.sources.simulated_shop.orders import (
    GIFT_CARD,
    PAYMENTS,
    REASONS,
    STATUSES,
    TEST,
    ZERO_VALUE,
)
from dagster_project.sources.simulated_shop.people import DEVICE_NAMES
from dagster_project.sources.simulated_shop.purchases import CHANNELS, GUEST, STORE, Purchases
from dagster_project.sources.simulated_shop.streams import Ints, kept, stream

_SHIPPING_CENTS, _FREE_FROM_CENTS = 490, 5_000
_TAX_PERCENT = 19
_COUPONS = ("THANKS", "SALE")
_FIRST_RATES = {"CHF": 1.04, "GBP": 1.16}
_RATE_TYPE = pa.decimal128(12, 6)


def sales(block: Block) -> Drawn:
    """Accounts, orders, lines and refunds of a block."""
    return Drawn(
        feeds={
            "customers": _customers(block),
            "orders": _orders(block),
            "order_lines": _order_lines(block),
            "refunds": _refunds(block),
        }
    )


def assortment(calendar: Calendar) -> Drawn:
    """Products, list prices and exchange rates of a shop."""
    return Drawn(
        feeds={
            "products": _products(calendar),
            "product_prices": _product_prices(calendar),
            "exchange_rates": _exchange_rates(calendar),
        }
    )


def account_ids(block: Block, purchases: Purchases) -> pa.Array:
    """The account that each purchase was made with; null for guests."""
    has_account = purchases.account != GUEST
    return col.customer_ids(block.people.number[purchases.person], np.maximum(purchases.account, 0), has_account)


def _customers(block: Block) -> Columns:
    made, people = block.accounts, block.people
    created_at = col.times(block.calendar, made.created_second)
    return {
        "customer_id": col.customer_ids(people.number[made.person], made.account),
        "created_at": created_at,
        "country": col.labels([code for code, _, _ in block.plan.countries], people.country[made.person]),
        "acquisition_channel": col.labels(
            [name for name, _ in block.plan.channels], people.acquisition_channel[made.person]
        ),
        "customer_type": pa.repeat("consumer", len(made)),
        "updated_at": created_at,
    }


def _orders(block: Block) -> Columns:
    is_seen = ~block.purchases.is_future
    made, come = block.purchases.take(is_seen), block.fulfilment.take(is_seen)
    status, payment, changed = come.status_at(block.end_second)
    is_free = come.fate == ZERO_VALUE
    paid = np.where(is_free, 0, made.paid_cents)
    ships = (made.channel != STORE) & (paid < _FREE_FROM_CENTS) & ~is_free & (come.fate != GIFT_CARD)
    coupons = [f"{_COUPONS[0]}{block.plan.promotions.coupon_percent}", f"{_COUPONS[1]}{block.plan.promotions.percent}"]
    is_delivered = come.delivered_second < block.end_second
    currencies = [currency for _, currency, _ in block.plan.countries]
    return {
        "order_id": col.order_ids(made.number),
        "customer_id": account_ids(block, made),
        "ordered_at": col.times(block.calendar, made.second),
        "status": col.labels(STATUSES, status),
        "payment_status": col.labels(PAYMENTS, payment),
        "currency": col.labels(currencies, block.people.country[made.person]),
        "discount_amount": col.money(np.where(is_free, 0, made.discount_cents)),
        "shipping_amount": col.money(np.where(ships, _SHIPPING_CENTS, 0)),
        "tax_amount": col.money(_tax(paid)),
        "channel": col.labels(CHANNELS, made.channel),
        "device": col.labels(DEVICE_NAMES, made.device),
        "coupon_code": col.labels(coupons, made.is_promoted.astype(np.int64), made.is_promoted | made.has_coupon),
        "is_test": pa.array(come.fate == TEST),
        "is_gift_card_only": pa.array(come.fate == GIFT_CARD),
        "delivery_promised_on": col.dates(block.calendar, come.promised_day, made.channel != STORE),
        "delivered_at": col.times(block.calendar, come.delivered_second, is_delivered),
        "updated_at": col.times(block.calendar, np.maximum(made.second, changed)),
    }


def _tax(paid_cents: Ints) -> Ints:
    """How much of a price is tax, rounded to the cent."""
    return (2 * paid_cents * _TAX_PERCENT + 100 + _TAX_PERCENT) // (2 * (100 + _TAX_PERCENT))


def _order_lines(block: Block) -> Columns:
    made = block.lines
    rows = np.flatnonzero(~block.purchases.is_future[made.order])
    return {
        "order_id": col.order_ids(block.purchases.number[made.order[rows]]),
        "line_number": pa.array(made.number[rows].astype(np.int32)),
        "product_id": product_ids(made.product[rows]),
        "quantity": pa.array(made.quantity[rows].astype(np.int32)),
        "unit_price": col.money(made.unit_cents[rows]),
        col.HAPPENED: pa.array(block.purchases.second[made.order[rows]]),
    }


def product_ids(position: Ints) -> pa.Array:
    """The id of a product, from its position in the catalogue."""
    return col.ids("p", position + 1, 3)


def _refunds(block: Block) -> Columns:
    made = block.refunds
    rows = np.flatnonzero(made.second < block.end_second)
    return {
        "refund_id": col.ids("r", made.number[rows], 10),
        "order_id": col.order_ids(block.purchases.number[made.order[rows]]),
        "refunded_at": col.times(block.calendar, made.second[rows]),
        "refund_amount": col.money(made.cents[rows]),
        "reason": col.labels(REASONS, made.reason[rows]),
    }


def _products(calendar: Calendar) -> Columns:
    made = draw_catalogue(calendar.plan)
    rows = np.flatnonzero(made.launch_day < calendar.plan.end_day)
    is_piece = made.rank[rows] < PIECES_PER_KIND
    is_piece[rows == made.gift_card] = False
    return {
        "product_id": product_ids(rows),
        "product_name": pa.array([made.names[row] for row in rows.tolist()]),
        "product_kind": col.labels([*KINDS, "gift_card"], made.kind[rows]),
        "quality_line": col.labels(QUALITY_LINES, made.quality_line[rows]),
        "launched_on": col.dates(calendar, made.launch_day[rows]),
        "unit_cost": col.money(made.cost_cents[rows], is_piece),
    }


def _product_prices(calendar: Calendar) -> Columns:
    made, plan = draw_catalogue(calendar.plan), calendar.plan
    first = np.flatnonzero((made.first_cents > 0) & (made.launch_day < plan.end_day))
    rise_day = np.full(len(first), plan.price_rise_day)
    risen = made.rises[first] & (made.launch_day[first] < rise_day) & (rise_day < plan.end_day)
    product = np.concatenate([first, first[risen]])
    starts = np.concatenate([made.launch_day[first], rise_day[risen]])
    begin = np.where(made.launch_day[first] >= rise_day, made.risen_cents[first], made.first_cents[first])
    cents = np.concatenate([begin, made.risen_cents[first[risen]]])
    order = np.lexsort((product, starts))
    return {
        "product_id": product_ids(product[order]),
        "valid_from": col.dates(calendar, starts[order]),
        "list_price": col.money(cents[order]),
    }


def _exchange_rates(calendar: Calendar) -> Columns:
    """Rates of working days, each a small random step from the one before."""
    plan = calendar.plan
    day = np.arange(plan.end_day)
    weekday = (calendar.days[day].astype(np.int64) + 3) % 7
    day = day[weekday < 5]
    currencies = sorted({currency for _, currency, _ in plan.countries} - {"EUR"})
    rates = []
    for currency in currencies:
        steps = stream(plan.seed, -1, f"exchange_rates/{currency}").standard_normal(plan.horizon_day)[day]
        rates.append(np.rint(1e6 * kept(_FIRST_RATES.get(currency, 1.0) * np.exp(np.cumsum(0.002 * kept(steps))))))
    micros = np.concatenate([np.zeros(0), *rates]).astype(np.int64)
    return {
        "rate_date": col.dates(calendar, np.tile(day, len(currencies))),
        "currency": col.labels(currencies or ["EUR"], np.repeat(np.arange(len(currencies)), len(day))),
        "rate": col.decimals(micros, _RATE_TYPE),
    }
