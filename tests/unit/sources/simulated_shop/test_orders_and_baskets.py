"""Orders: what lies in them costs what was drawn, and what becomes of them follows from one moment to the next."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
from drawn_shop import PLAN, assert_share, block_of, feed, truth

from dagster_project.sources.simulated_shop.behaviour import Orders
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.catalogue import PIECES_PER_KIND
from dagster_project.sources.simulated_shop.orders import CANCELLED, FATES, REGULAR, UNPAID, ZERO_VALUE
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.purchases import STORE

CENT = Decimal("0.01")


def test_lines_add_up_to_what_each_purchase_was_drawn_to_cost() -> None:
    block = block_of()
    total = np.bincount(
        block.lines.order, weights=block.lines.quantity * block.lines.unit_cents, minlength=len(block.purchases)
    )
    is_free = block.fulfilment.fate == ZERO_VALUE
    assert (total[~is_free] == block.purchases.goods_cents[~is_free]).all()
    assert (total[is_free] == 0).all()
    assert (np.bincount(block.lines.order, minlength=len(block.purchases)) > 0).all()
    assert (block.lines.quantity > 0).all()


def test_whatever_has_a_list_price_is_sold_at_it_and_never_before_its_launch() -> None:
    """Joined by pandas from the feeds alone: the price of the day is the latest that is valid by then."""
    orders = feed("orders").select(["order_id", "ordered_at"]).to_pandas()
    lines = feed("order_lines").to_pandas().merge(orders, on="order_id")
    lines["day"] = lines["ordered_at"].dt.normalize().astype("datetime64[s]")
    prices = feed("product_prices").to_pandas()
    prices["valid_from"] = pd.to_datetime(prices["valid_from"]).astype("datetime64[s]")
    found = pd.merge_asof(
        lines.sort_values("day"),
        prices.sort_values("valid_from"),
        left_on="day",
        right_on="valid_from",
        by="product_id",
    )
    paid = found[found["unit_price"] > 0]
    listed = paid["list_price"].notna()
    assert (paid.loc[listed, "unit_price"] == paid.loc[listed, "list_price"]).all()
    assert prices["product_id"].duplicated().sum() > 20, "the price rise is not in the price list"
    assert not paid.loc[~listed, "product_id"].isin(prices["product_id"]).any()
    assert listed.mean() > 0.6
    launched = feed("products").to_pandas().set_index("product_id")["launched_on"]
    assert (pd.to_datetime(lines["product_id"].map(launched)) <= lines["day"]).all()


def test_a_measured_piece_is_of_a_kind_that_is_in_the_basket_anyway() -> None:
    block = block_of()
    kind, rank = block.catalogue.kind[block.lines.product], block.catalogue.rank[block.lines.product]
    is_measured = (rank == PIECES_PER_KIND) & (block.lines.number > 1)
    assert is_measured.sum() > 10_000
    assert (kind[is_measured] == kind[np.flatnonzero(is_measured) - 1]).all()


def test_fates_have_their_shares() -> None:
    block = block_of()
    for number, fate in enumerate(FATES[1:], start=1):
        assert_share(block.fulfilment.fate == number, getattr(PLAN.orders, f"{fate}_share"))


def test_moments_of_an_order_follow_one_another() -> None:
    block = block_of()
    placed, come = block.purchases.second, block.fulfilment
    paid, shipped, delivered = come.paid_second, come.shipped_second, come.delivered_second
    assert ((come.fate == UNPAID) | (come.fate == CANCELLED) | (paid < NEVER)).all()
    assert (paid >= placed).all()
    assert ((shipped == NEVER) | (shipped >= paid)).all()
    assert ((delivered == NEVER) | (delivered >= shipped)).all()
    assert ((come.fate == CANCELLED) | (come.fate == UNPAID) | (delivered < NEVER)).all()
    is_cancelled = come.fate == CANCELLED
    assert (come.cancelled_second[is_cancelled] > placed[is_cancelled]).all()
    assert (delivered[is_cancelled] == NEVER).all()
    assert ((shipped < NEVER) & is_cancelled).any(), "no order is cancelled after it was shipped"
    is_reopened = come.reopened_second < NEVER
    assert is_reopened.any()
    assert (come.reopened_second[is_reopened] > come.cancelled_second[is_reopened]).all()
    assert (shipped[is_reopened] >= come.reopened_second[is_reopened]).all()


def test_late_deliveries_are_exactly_those_planted() -> None:
    block = block_of()
    is_delivered = block.fulfilment.delivered_second < NEVER
    is_late = block.purchases.is_late & is_delivered
    assert (block.fulfilment.days_late[is_late] >= 2).all()
    assert (block.fulfilment.days_late[~is_late] == 0).all()


def test_status_is_what_the_moments_before_say() -> None:
    block = block_of()
    at = 800 * DAY
    rows = np.flatnonzero(block.purchases.second < at)
    come = block.fulfilment.take(rows)
    status, payment, changed = come.status_at(at)
    assert ((status == 3) == ((come.delivered_second < at) & ~(come.fate == CANCELLED))).all()
    assert ((payment == 3) == (come.failed_second < at)).all()
    assert ((status == 4) == ((come.cancelled_second < at) & ~(come.reopened_second < at))).all()
    assert ((payment == 2) == (status == 4)).all()
    assert (changed < at).all()
    assert set(np.unique(status)) == {0, 1, 2, 3, 4}


def test_refunds_are_of_delivered_orders_and_never_more_than_was_paid() -> None:
    block = block_of()
    made, own = block.refunds, block.purchases
    assert (block.fulfilment.fate[made.order] == REGULAR).all()
    assert (made.second > block.fulfilment.delivered_second[made.order]).all()
    assert (made.cents <= own.paid_cents[made.order]).all()
    assert (np.diff(made.second) >= 0).all()
    is_refunded = np.isin(np.arange(len(own)), made.order)
    is_damaged = own.is_bad_service & ~own.is_late
    regular = block.fulfilment.fate == REGULAR
    assert_share(is_refunded[regular & is_damaged], PLAN.orders.damage_refund_share)
    assert_share(is_refunded[regular & ~is_damaged], PLAN.orders.refund_share)
    assert_share(made.cents == own.paid_cents[made.order], PLAN.orders.whole_refund_share)


def test_money_of_an_order_is_exact() -> None:
    orders = feed("orders").to_pandas()
    known = truth("orders").to_pandas().set_index("order_id")
    paid = orders["order_id"].map(known["paid_amount"]).where(orders["order_id"].map(known["fate"]) != "zero_value", 0)
    expected = [(Decimal(amount) * 19 / 119).quantize(CENT, "ROUND_HALF_UP") for amount in paid]
    assert orders["tax_amount"].tolist() == expected
    is_posted = (orders["channel"] != "store") & (paid < 50) & (paid > 0) & ~orders["is_gift_card_only"]
    assert (orders["shipping_amount"] == is_posted.map({True: Decimal("4.90"), False: Decimal("0.00")})).all()
    reduced = orders["discount_amount"] > 0
    assert (reduced <= orders["coupon_code"].notna()).all()
    percent = orders.loc[reduced, "coupon_code"].str[-2:].astype(int)
    goods = (orders["discount_amount"] + paid)[reduced].astype(float)
    off = orders.loc[reduced, "discount_amount"].astype(float)
    assert ((off - goods * percent / 100).abs() <= 0.01).all()


def test_odd_orders_are_off_in_a_plain_shop() -> None:
    nothing = Orders(**dict.fromkeys(Orders.__dataclass_fields__, 0.0))
    from dataclasses import replace

    block = block_of(replace(PLAN, orders=nothing))
    assert (block.fulfilment.fate == REGULAR).all()
    assert len(block.refunds) == 0
    assert (block.fulfilment.cancelled_second == NEVER).all()
    assert (block.purchases.channel == STORE).any()


def test_the_truth_of_orders_adds_up_to_the_truth_of_persons() -> None:
    orders, persons = truth("orders").to_pandas(), truth("persons").to_pandas().set_index("person_id")
    refunds = feed("refunds").to_pandas().groupby("order_id")["refund_amount"].sum()
    seen = orders[orders["is_counted"] & ~orders["is_future"]]
    assert (seen.groupby("person_id").size().reindex(persons.index, fill_value=0) == persons["observed_orders"]).all()
    total = seen.groupby("person_id")["net_amount"].sum().reindex(persons.index, fill_value=Decimal(0))
    assert (total == persons["observed_net"]).all()
    regular = orders[orders["fate"] == "regular"].set_index("order_id")
    taken = (regular["paid_amount"] - regular["net_amount"]).loc[refunds.index]
    assert (taken >= refunds).all(), "a refund that the shop has seen is not in the truth"
