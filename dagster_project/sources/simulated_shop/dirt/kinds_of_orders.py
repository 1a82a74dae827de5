"""Dirt in the orders: versions, times, codes.

Belongs here: the kinds that choose their rows among the orders. Does not belong here: other feeds (`kinds_of_goods.py`,
`kinds_of_people.py`), orders that truly are tests, samples or gift cards (drawn with the shop), the mechanics
(`planting.py`).
"""

from __future__ import annotations

from dagster_project.sources.simulated_shop.dirt import eligibility as rows
from dagster_project.sources.simulated_shop.dirt import texts
from dagster_project.sources.simulated_shop.dirt.kind import Follower, Kind

_CHANGED_ORDER = rows.is_later("orders", "updated_at", "ordered_at")

ORDER_KINDS = (
    Kind(
        "repeated_order",
        edge="duplicate rows of an order",
        feed="orders",
        how="added_after",
        meets="repeats",
    ),
    Kind(
        "edited_order",
        edge="order edited after ingestion (keep versions, latest `updated_at`)",
        feed="orders",
        how="added_before",
        meets="repeats",
        columns={
            "status": texts.written("placed"),
            "payment_status": texts.written("pending"),
            "shipping_amount": texts.written("9.90"),
            "updated_at": texts.copied("ordered_at"),
        },
        eligible=_CHANGED_ORDER,
    ),
    Kind(
        "reopened_order",
        edge="re-opened order",
        feed="orders",
        how="added_before",
        meets="repeats",
        columns={
            "status": texts.written("cancelled"),
            "payment_status": texts.written("voided"),
            "updated_at": texts.halfway("ordered_at", "updated_at"),
        },
        eligible=rows.all_of(_CHANGED_ORDER, rows.equals("orders", "status", "delivered")),
    ),
    Kind(
        "order_versions_of_one_moment",
        edge="order edited after ingestion (tie by `_ingested_at`)",
        feed="orders",
        how="added_before",
        meets="repeats",
        columns={"shipping_amount": texts.written("9.90")},
    ),
    Kind(
        "unreadable_order_time",
        edge="order time that is none",
        feed="orders",
        how="rewritten",
        meets="refused",
        columns={"ordered_at": texts.one_of(texts.UNREADABLE_TIMES)},
    ),
    Kind(
        "future_order",
        edge="future-dated rows (clock skew)",
        feed="orders",
        how="rewritten",
        meets="refused",
        columns={"ordered_at": texts.in_year("ordered_at", 2099), "updated_at": texts.in_year("updated_at", 2099)},
        share=0.0002,
    ),
    Kind(
        "order_without_currency",
        edge="currency missing",
        feed="orders",
        how="rewritten",
        meets="refused",
        columns={"currency": texts.written(None)},
        share=0.0002,
    ),
    Kind(
        "order_in_an_unknown_currency",
        edge="rate missing",
        feed="orders",
        how="rewritten",
        meets="excluded",
        columns={"currency": texts.written("XTS")},
        share=0.0002,
    ),
    Kind(
        "order_of_the_last_millisecond",
        edge="order at 23:59:59.999",
        feed="orders",
        how="rewritten",
        meets="harmless",
        columns={"ordered_at": texts.at_clock("ordered_at", "23:59:59.999")},
    ),
    Kind(
        "order_in_the_skipped_hour",
        edge="DST day of 23 h",
        feed="orders",
        how="rewritten",
        meets="harmless",
        columns={"ordered_at": texts.at_clock("ordered_at", "02:30:00")},
        eligible=rows.on_a_day_of("orders", "ordered_at", 23),
        share=0.05,
    ),
    Kind(
        "order_in_the_doubled_hour",
        edge="DST day of 25 h",
        feed="orders",
        how="rewritten",
        meets="harmless",
        columns={"ordered_at": texts.at_clock("ordered_at", "02:30:00")},
        eligible=rows.on_a_day_of("orders", "ordered_at", 25),
        share=0.05,
    ),
    Kind(
        "padded_customer_id",
        edge="trailing space in a key",
        feed="orders",
        how="rewritten",
        meets="harmless",
        columns={"customer_id": texts.padded("customer_id")},
        eligible=rows.is_present("orders", "customer_id"),
    ),
    Kind(
        "marketplace_order",
        edge="marketplace orders without identity",
        feed="orders",
        how="rewritten",
        meets="unlinked",
        columns={"channel": texts.written("marketplace"), "device": texts.written(None)},
        eligible=rows.is_absent("orders", "customer_id"),
        share=0.05,
    ),
    Kind(
        "exchanged_order",
        edge="exchange",
        feed="orders",
        how="added_after",
        meets="excluded",
        columns={
            "order_id": texts.marked("order_id", "exchange"),
            "ordered_at": texts.copied("updated_at"),
            "status": texts.written("placed"),
            **dict.fromkeys(("discount_amount", "shipping_amount", "tax_amount"), texts.written("0.00")),
            **dict.fromkeys(("coupon_code", "delivery_promised_on", "delivered_at"), texts.written(None)),
        },
        eligible=rows.all_of(_CHANGED_ORDER, rows.equals("orders", "status", "delivered")),
        followers=(
            Follower(
                "order_lines",
                on="order_id",
                of=("orders", "order_id"),
                columns={"order_id": texts.marked("order_id", "exchange"), "unit_price": texts.written("0.00")},
            ),
        ),
    ),
    Kind(
        "order_status_of_a_new_release",
        edge="enum gets new value",
        feed="orders",
        how="rewritten",
        meets="stops",
        columns={"status": texts.written("on_hold")},
        is_in_levels=False,
    ),
)
