"""Dirt in order lines, refunds and exchange rates.

Belongs here: the kinds that choose their rows among them. Does not belong here: whole orders (`kinds_of_orders.py`),
the mechanics (`planting.py`).
"""

from __future__ import annotations

from dagster_project.sources.simulated_shop.dirt import texts
from dagster_project.sources.simulated_shop.dirt.kind import Kind

GOODS_KINDS = (
    Kind(
        "quantity_in_words",
        edge="number as text",
        feed="order_lines",
        how="rewritten",
        meets="refused",
        columns={"quantity": texts.one_of(texts.NUMBER_WORDS)},
        share=0.0002,
    ),
    Kind(
        "negative_quantity",
        edge="negative quantity",
        feed="order_lines",
        how="rewritten",
        meets="counted",
        columns={"quantity": texts.negated("quantity")},
        share=0.0002,
    ),
    Kind(
        "repeated_order_line",
        edge="duplicate rows of an order line",
        feed="order_lines",
        how="added_after",
        meets="repeats",
    ),
    Kind(
        "refund_above_its_order",
        edge="refund > order",
        feed="refunds",
        how="rewritten",
        meets="counted",
        columns={"refund_amount": texts.times_hundred("refund_amount")},
        share=0.002,
    ),
    Kind(
        "refund_without_order",
        edge="refund without order",
        feed="refunds",
        how="added_after",
        meets="refused",
        columns={"refund_id": texts.marked("refund_id", "lost"), "order_id": texts.marked("order_id", "gone")},
        share=0.002,
    ),
    Kind(
        "missing_rate",
        edge="rate missing on holiday (last known, flagged, max age)",
        feed="exchange_rates",
        how="removed",
        meets="harmless",
        share=0.02,
    ),
)
